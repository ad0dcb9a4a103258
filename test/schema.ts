<<<<<<< HEAD
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
  ...["additionalProperties", "items", "minimum", "maximum", "$ref", "$defs", "pattern"],
];
=======
/**
 * A validator for the JSON Schemas that ns publishes: as much of draft 2020-12 as they use. A keyword that it does not know
 * is an error, so that no rule of a schema goes unnoticed.
 */

type Schema = Record<string, unknown>;
const SAYS_NOTHING = ["$schema", "$id", "title", "description", "$defs", "examples"];
>>>>>>> 29d4a4b (cli: ns completions; docs: a JSON schema of specs)

const typeOf = (value: unknown): string => {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  return typeof value;
};

<<<<<<< HEAD
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
    for (const [name, one] of Object.entries(object)) {
      const known = Object.hasOwn(its, name) ? its[name] : undefined;
      if (known !== undefined) wrong.push(...violations(known, one, `${at}.${name}`, top));
      else check(additionalProperties !== false, `has ${name}`);
    }
=======
const isType = (value: unknown, type: string): boolean =>
  type === "integer" ? Number.isInteger(value) : typeOf(value) === type;

/** What is wrong with a value, each with its path; nothing when it is valid. */
export function violations(schema: object, value: unknown, root: object = schema, path = "$"): string[] {
  const wrong: string[] = [];
  const inside = (rule: unknown, one: unknown, where: string): void => {
    if (rule === false) wrong.push(`${where}: not allowed`);
    else if (rule !== true) wrong.push(...violations(rule as object, one, root, where));
  };
  const fits = (rule: unknown): boolean => violations(rule as object, value, root, path).length === 0;
  const object = typeOf(value) === "object" ? (value as Schema) : null;
  for (const [keyword, rule] of Object.entries(schema)) {
    if (SAYS_NOTHING.includes(keyword)) continue;
    if (keyword === "$ref") {
      const found = (rule as string)
        .slice(2)
        .split("/")
        .reduce((at: unknown, key) => (at as Schema)[key], root);
      inside(found, value, path);
    } else if (keyword === "type") {
      if (![rule].flat().some((type) => isType(value, type as string))) wrong.push(`${path}: is not ${rule}`);
    } else if (keyword === "enum") {
      if (!(rule as unknown[]).includes(value)) wrong.push(`${path}: is not one of ${rule}`);
    } else if (keyword === "const") {
      if (value !== rule) wrong.push(`${path}: is not ${rule}`);
    } else if (keyword === "pattern") {
      if (typeof value === "string" && !new RegExp(rule as string, "u").test(value))
        wrong.push(`${path}: does not match ${rule}`);
    } else if (keyword === "minimum") {
      if (typeof value === "number" && value < (rule as number)) wrong.push(`${path}: is below ${rule}`);
    } else if (keyword === "maximum") {
      if (typeof value === "number" && value > (rule as number)) wrong.push(`${path}: is above ${rule}`);
    } else if (keyword === "anyOf" || keyword === "oneOf") {
      const good = (rule as unknown[]).filter(fits).length;
      if (keyword === "anyOf" ? good === 0 : good !== 1) wrong.push(`${path}: fits ${good} of ${keyword}`);
    } else if (keyword === "items") {
      for (const [i, one] of Array.isArray(value) ? value.entries() : []) inside(rule, one, `${path}[${i}]`);
    } else if (keyword === "properties") {
      for (const [key, of] of Object.entries(rule as Schema))
        if (object !== null && Object.hasOwn(object, key)) inside(of, object[key], `${path}.${key}`);
    } else if (keyword === "additionalProperties") {
      const known = Object.keys((schema as Schema).properties ?? {});
      for (const key of Object.keys(object ?? {}))
        if (!known.includes(key)) inside(rule, object![key], `${path}.${key}`);
    } else if (keyword === "required") {
      for (const key of rule as string[])
        if (object !== null && !Object.hasOwn(object, key)) wrong.push(`${path}: ${key} is missing`);
    } else if (keyword === "dependentRequired") {
      for (const [key, needed] of Object.entries(rule as Record<string, string[]>))
        for (const other of needed)
          if (object !== null && Object.hasOwn(object, key) && !Object.hasOwn(object, other))
            wrong.push(`${path}: ${key} needs ${other}`);
    } else throw new Error(`the validator does not know ${keyword}`);
>>>>>>> 29d4a4b (cli: ns completions; docs: a JSON schema of specs)
  }
  return wrong;
}
