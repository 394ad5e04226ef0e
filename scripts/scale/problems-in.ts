import { checkSettings, etcdProblem } from "../supervisor/preflight.ts";
import type { Settings } from "../supervisor/child-settings.ts";
import { problemsOf, type StatusRow } from "./status-table.ts";

/** What is wrong with the processes. If etcd does not answer, that is one line, and not one for each part that needs it.
 *  @param settings of the pipeline */
export async function problemsIn(rows: readonly StatusRow[], settings: Settings): Promise<readonly string[]> {
  const isMentioned = rows.some(({ health }) => health?.reasons.some(isAboutEtcd));
  const etcd = isMentioned ? await etcdProblem(checkSettings(settings)) : undefined;
  if (etcd === undefined) return rows.flatMap(problemsOf);
  return [etcd, ...rows.map(withoutEtcd).flatMap(problemsOf)];
}

function withoutEtcd(row: StatusRow): StatusRow {
  const { health } = row;
  if (health === undefined) return row;
  return { ...row, health: { ...health, reasons: health.reasons.filter((reason) => !isAboutEtcd(reason)) } };
}

/** True for a reason that names a failed request to etcd, or a queue that does not answer, which is in etcd. */
function isAboutEtcd(reason: string): boolean {
  return / at etcd .*UNAVAILABLE/s.test(reason) || reason.startsWith("queue: the queue does not answer");
}
