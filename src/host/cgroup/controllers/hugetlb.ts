/** The hugetlb controller: memory in huge pages, one limit a size (hugetlb.rst, cgroup-v2.rst). */
import type { Controller } from "./controller.ts";

const note = "this kernel may have no huge pages of that size: see /sys/kernel/mm/hugepages";

export const hugetlb: Controller = {
  name: "hugetlb",
  v1: "hugetlb",
  limits: "huge pages",
  needed: (limits) => limits.hugePages !== null,
  settings(version, limits) {
    const max = version === 1 ? "limit_in_bytes" : "max";
    return (limits.hugePages ?? []).flatMap(({ size, limit }) => [
      { file: `hugetlb.${size}.${max}`, value: `${limit}`, note },
      // what is reserved but not used yet: Linux 5.7
      { file: `hugetlb.${size}.rsvd.${max}`, value: `${limit}`, optional: true as const },
    ]);
  },
};
