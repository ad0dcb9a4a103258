/** All examples, by the option's long name. */
import type { Examples } from "./example.ts";
import { generalExamples } from "./general.ts";
import { idExamples } from "./ids.ts";
import { limitExamples } from "./limits.ts";
import { mountExamples } from "./mounts.ts";
import { namespaceExamples } from "./namespaces.ts";
import { networkExamples } from "./network.ts";
import { processExamples } from "./process.ts";
import { securityExamples } from "./security.ts";
import { rootExamples } from "./root.ts";

export const examples: Examples = {
  ...rootExamples,
  ...mountExamples,
  ...idExamples,
  ...namespaceExamples,
  ...networkExamples,
  ...securityExamples,
  ...limitExamples,
  ...processExamples,
  ...generalExamples,
};
