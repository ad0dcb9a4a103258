/** As much of JSON Schema as ns's own published schemas use (docs/*.schema.json); an unknown keyword is an error. */
type Schema = Readonly<Record<string, unknown>>;

const KNOWN = [
  ...[
    "$schema",
    "$id",
    "title",
    "description",
    "type",
    "const",
    "enum",
    "oneOf",
    "anyOf",
    "required",
    "properties",
  ],
  ...["additionalProperties", "items", "minimum", "maximum", "$ref", "$defs", "pattern", "dependentRequired"],
];

const typeOf = (value: unknown): string => {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  return typeof value;
};

/** What is wrong with a value, by its paths; none: it is as the schema says. */
export function violations(schema: Schema, value: unknown, at = "$", top: Schema = schema): string[] {
  const unknown = Object.keys(schema).find((key) => !KNOWN.includes(key));
  if (unknown !== undefined) throw new Error(`the validator does not know ${unknown}`);
  const wrong: string[] = [];
  const check = (good: boolean, what: string): void => void (good || wrong.push(`${at}: ${what}`));
  const { type, enum: values, oneOf, anyOf, required, properties, additionalProperties, items } = schema;
  if (typeof schema.$ref === "string") {
    const name = schema.$ref.replace("#/$defs/", "");
    wrong.push(...violations((top.$defs as Record<string, Schema>)[name]!, value, at, top));
  }
  if (type !== undefined) {
    const types = Array.isArray(type) ? type : [type];
    const its = typeOf(value);
    check(
      types.includes(its) || (types.includes("integer") && Number.isInteger(value)),
      `is not ${types.join(" or ")}`,
    );
  }
  if ("const" in schema) check(value === schema.const, `is not ${schema.const}`);
  if (values !== undefined) check((values as unknown[]).includes(value), `is none of ${values}`);
  if (typeof value === "number") {
    check(typeof schema.minimum !== "number" || value >= schema.minimum, "is too small");
    check(typeof schema.maximum !== "number" || value <= schema.maximum, "is too large");
  }
  if (typeof value === "string" && typeof schema.pattern === "string")
    check(new RegExp(schema.pattern, "u").test(value), `does not match ${schema.pattern}`);
  const fits = (list: unknown): number =>
    (list as Schema[]).filter((one) => violations(one, value, at, top).length === 0).length;
  if (oneOf !== undefined) check(fits(oneOf) === 1, `${fits(oneOf)} of the alternatives fit`);
  if (anyOf !== undefined) check(fits(anyOf) > 0, "no alternative fits");
  if (Array.isArray(value) && items !== undefined)
    for (let i = 0; i < value.length; i++)
      wrong.push(...violations(items as Schema, value[i], `${at}[${i}]`, top));
  if (typeOf(value) === "object") {
    const object = value as Record<string, unknown>;
    const its = (properties ?? {}) as Record<string, Schema>;
    for (const name of (required ?? []) as string[]) check(name in object, `has no ${name}`);
    for (const [name, others] of Object.entries((schema.dependentRequired ?? {}) as Record<string, string[]>))
      for (const other of others) check(!(name in object) || other in object, `has ${name}, but no ${other}`);
    for (const [name, one] of Object.entries(object)) {
      const known = Object.hasOwn(its, name) ? its[name] : undefined;
      if (known !== undefined) wrong.push(...violations(known, one, `${at}.${name}`, top));
      else check(additionalProperties !== false, `has ${name}`);
    }
  }
  return wrong;
}
