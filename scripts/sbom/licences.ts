import parse, { type Info } from "spdx-expression-parse";

/** The licences, as SPDX names them, that a package may have: they allow use, change and distribution without conditions for our own
 *  code. Add one only after reading it. */
const allowed: ReadonlySet<string> = new Set([
  ...["0BSD", "Apache-2.0", "BlueOak-1.0.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "Python-2.0"],
  // of works that are in the public domain
  ...["CC0-1.0", "Unlicense"],
]);

/** Licences for one package only, which is not shipped: of data that a tool reads, and of a tool whose conditions are about its own files. */
const allowedFor: ReadonlyMap<string, string> = new Map([
  ["spdx-exceptions", "CC-BY-3.0"],
  ["axe-core", "MPL-2.0"],
]);

/** What is wrong with a package's licence; undefined if it is allowed. Of several licences to choose from, one is enough.
 *  @param licence the member of its package.json */
export function licenceProblem(name: string, licence: unknown): string | undefined {
  if (typeof licence !== "string") return "its package.json names no licence";
  if (allowedFor.get(name) === licence) return undefined;
  try {
    return isAllowed(parse(licence))
      ? undefined
      : `its licence ${licence} is not in the list of scripts/sbom/licences.ts`;
  } catch {
    return `its licence ${JSON.stringify(licence)} is not SPDX`;
  }
}

function isAllowed(info: Info): boolean {
  if ("conjunction" in info) {
    const sides = [info.left, info.right].map(isAllowed);
    return info.conjunction === "or" ? sides.includes(true) : !sides.includes(false);
  }
  return "license" in info && info.exception === undefined && info.plus !== true && allowed.has(info.license);
}
