import { readFileSync } from "node:fs";
import { join } from "node:path";
import { importedBy } from "./imports.ts";

/** The modules that start a server which only the caller uses, and leaves alone: what they import does not count. */
const providers = ["dev/servers/provide-etcd.ts", "dev/servers/provide-database.ts"];
/** The modules that start the program, or servers and client programs that a test may kill, freeze or configure. */
const starters = [
  "dev/pipeline-process.ts",
  ...["chromium", "client-tools", "etcd", "postgres", "prometheus", "small-disk"].map(
    (name) => `dev/servers/${name}.ts`,
  ),
];
const starts = /\bBun\.spawn|\bspawnSync\(/;
const measures = /\bBun\.sleep\(|\bperformance\.now\(|\bsilenceMs\b|\bmemoryUsage\b|\bheapStats\b/;

/** Test files that start processes and kill, freeze or load them, or watch how quickly they answer. The other folders' tests only wait
 *  until a process has answered or ended. */
const needsProcessor = /^test\/(?:(?:abuse|dashboard|fault-leader|faults|fuzz|rolling|scale|scaling)\/|[^/]+$)/;

/** True for a test file that may run while other tests run, at a lower priority, because it then only takes longer: it neither waits
 *  for time to pass nor measures time or memory, and starts no processes that need the processor (except servers that it leaves alone).
 *  @param root  `file` is relative to it */
export function canRunConcurrently(root: string, file: string): boolean {
  const textOf = (path: string): string => readFileSync(join(root, path), "utf8");
  if (measures.test(textOf(file))) return false;
  if (!needsProcessor.test(file)) return true;
  const reached = [...importedBy(root, [file], (path) => !providers.includes(path))];
  return !reached.some(
    (path) =>
      starters.includes(path) ||
      (/^(?:test|dev)\//.test(path) && !providers.includes(path) && starts.test(textOf(path))),
  );
}
