/**
 * The release's bill of materials (CycloneDX): npm writes it from package-lock.json; what would differ from one build to
 * the next, or tells of this machine, is replaced, and the Bun executables that ns is made of are added.
 */
import { pinOf } from "./base.ts";
import { TARGETS } from "./targets.ts";
import { findProgram, runProgram } from "./tools.ts";

interface Component {
  "bom-ref"?: string;
  type: string;
  name: string;
  version: string;
  purl: string;
  hashes?: { alg: string; content: string }[];
  licenses?: unknown;
  externalReferences?: unknown;
}
interface Bom {
  serialNumber: string;
  metadata: { timestamp: string; component: Component };
  components: Component[];
  dependencies: { ref: string; dependsOn?: string[] }[];
}

function bunComponents(): Component[] {
  return Object.values(TARGETS).map(({ base }) => {
    const { version, integrity } = pinOf(base);
    return {
      "bom-ref": `${base}@${version}`,
      type: "library",
      name: base,
      version,
      purl: `pkg:npm/${base.replace("@", "%40")}@${version}`,
      hashes: [{ alg: "SHA-512", content: Buffer.from(integrity.slice(7), "base64").toString("hex") }],
    };
  });
}

/** Eight, four, four, four and twelve digits of a hash, with the bits that say it is one (RFC 9562, version 8). */
function uuidOf(text: string): string {
  const digits = new Bun.CryptoHasher("sha256").update(text).digest("hex");
  const parts = [
    digits.slice(0, 8),
    digits.slice(8, 12),
    `8${digits.slice(13, 16)}`,
    `8${digits.slice(17, 20)}`,
  ];
  return [...parts, digits.slice(20, 32)].join("-");
}

/**
 * The bill of materials as text, the same for the same commit.
 * @param name @param version of ns
 * @param seconds the commit's time, since 1970
 */
export function billOfMaterials(project: string, name: string, version: string, seconds: number): string {
  const npm = findProgram("npm", "npm", "the bill of materials");
  const what = ["sbom", "--sbom-format=cyclonedx", "--package-lock-only", "--omit=dev", "--omit=optional"];
  const bom = JSON.parse(`${runProgram([npm, ...what], {}, project)}`) as Bom;
  const bun = bunComponents();
  // npm names the project after its folder
  bom.metadata.component.name = name;
  bom.metadata.component.type = "application";
  bom.metadata.timestamp = new Date(seconds * 1000).toISOString();
  bom.components = [...bom.components, ...bun];
  // they would name a registry
  for (const component of [bom.metadata.component, ...bom.components]) delete component.externalReferences;
  bom.dependencies
    .find(({ ref }) => ref === `${name}@${version}`)
    ?.dependsOn?.push(...bun.map((component) => component["bom-ref"]!));
  bom.dependencies.push(...bun.map((component) => ({ ref: component["bom-ref"]! })));
  bom.serialNumber = "";
  bom.serialNumber = `urn:uuid:${uuidOf(JSON.stringify(bom))}`;
  return `${JSON.stringify(bom, null, 2)}\n`;
}
