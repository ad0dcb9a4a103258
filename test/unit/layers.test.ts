/** The house's rules that a reader cannot see at a glance: which folder may import which, and how big a file may grow. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { project } from "../project.ts";

const source = join(project, "src");
const files = [...new Bun.Glob("**/*.ts").scanSync(source)].sort();
/** from the top down; a folder may import itself and what is below it */
const LAYERS = ["cli", "index.ts", "run", "plan|host", "spec", "sys"];

const layerOf = (file: string): number => {
  const top = file.split("/")[0]!;
  return LAYERS.findIndex((layer) => layer.split("|").includes(top));
};

const importsOf = (file: string): string[] =>
  [...readFileSync(join(source, file), "utf8").matchAll(/(?:from|import\()\s*"(\.[^"]+)"/g)].map((match) =>
    relative(source, join(source, dirname(file), match[1]!)),
  );

test("every file belongs to a layer", () => {
  expect(files.filter((file) => layerOf(file) < 0)).toEqual([]);
});

test("imports point downward, and plan and host do not know each other", () => {
  const wrong = files.flatMap((file) =>
    importsOf(file)
      .filter(
        (to) =>
          layerOf(to) < layerOf(file) ||
          (layerOf(to) === layerOf(file) && to.split("/")[0] !== file.split("/")[0]),
      )
      .map((to) => `${file} -> ${to}`),
  );
  expect(wrong).toEqual([]);
});

test("no circle of imports", () => {
  const done = new Set<string>();
  const visit = (file: string, path: string[]): void => {
    if (path.includes(file)) throw new Error([...path, file].join(" -> "));
    if (done.has(file)) return;
    for (const to of importsOf(file)) visit(to, [...path, file]);
    done.add(file);
  };
  for (const file of files) visit(file, []);
});

test("only cli exits or prints", () => {
  const loud = files.filter(
    (file) =>
      !file.startsWith("cli/") && /process\.exit|console\./.test(readFileSync(join(source, file), "utf8")),
  );
  expect(loud).toEqual([]);
});

test("files are short and say what they are for", () => {
  for (const file of files) {
    const text = readFileSync(join(source, file), "utf8");
    expect(text.split("\n").length, file).toBeLessThanOrEqual(220);
    expect(text, file).toMatch(/^(#!.*\n)?\/\*\*/);
  }
});

test("the launcher and the encoder open with the same words on the layout", () => {
  const layout = (text: string): string =>
    text.slice(text.indexOf("Layout, "), text.indexOf("its errno.")).split("\n").slice(1).join("\n");
  const c = layout(readFileSync(join(project, "csrc/launcher.c"), "utf8"));
  expect(c).toBe(layout(readFileSync(join(source, "plan/encode.ts"), "utf8")));
  expect(c.length).toBeGreaterThan(300);
});
