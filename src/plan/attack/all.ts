/** All attacks, in the order in which they are made and told. Those that change something for themselves come late. */
import type { Attack, Group } from "./attack.ts";
import { crossing } from "./crossing.ts";
import { files } from "./files.ts";
import { machine } from "./machine.ts";
import { outside } from "./outside.ts";
import { privileges } from "./privileges.ts";
import { switches } from "./switches.ts";

/** They are made when they are asked for: a start of a container has no use for them. */
export const attackGroups = (): Group[] => [
  { title: "What crosses over", attacks: crossing() },
  { title: "The root", attacks: files() },
  { title: "The machine's switches and secrets", attacks: switches() },
  { title: "The machine and its kernel", attacks: machine() },
  { title: "What runs outside", attacks: outside() },
  { title: "Privileges", attacks: privileges() },
];

export const allAttacks = (): Attack[] => attackGroups().flatMap(({ attacks }) => attacks);
