import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Podman } from "./podman.ts";

const reader = join(import.meta.dir, "../../deploy/grafana/reader.sql");

/** Asks the database as Grafana does, by password: what the dashboards ask for, what they may not see, and with another password, which
 *  the container of the role takes over when it is started again.
 *  @throws Error that says what was not as it should be */
export async function tryGrafanaRole(podman: Podman, project: string): Promise<string> {
  const ask = (statement: string, password: string) => {
    const psql = ["psql", "--host=127.0.0.1", "--username=grafana", "--dbname=telemetry", "--command", statement];
    return podman.attempt("exec", "--env", `PGPASSWORD=${password}`, `${project}-timescaledb-1`, ...psql);
  };
  const volume = await podman.run("volume", "inspect", "--format", "{{.Mountpoint}}", `${project}_monitoring-access`);
  const file = join(volume, "grafana-database-password");
  const password = readFileSync(file, "utf8");
  const granted = /^grant select on (.*) to grafana;$/m.exec(readFileSync(reader, "utf8"))?.[1]?.split(", ") ?? [];
  if (granted.length === 0) throw new Error("reader.sql grants nothing");
  for (const table of granted) {
    const { code, errors } = await ask(`select 1 from ${table} limit 1`, password);
    if (code !== 0) throw new Error(`Grafana cannot read ${table}: ${errors}`);
  }
  for (const statement of ["select 1 from access_keys", "select 1 from quarantine", "delete from gpus"]) {
    const { code } = await ask(statement, password);
    if (code === 0) throw new Error(`Grafana may ${statement}`);
  }

  const other = "another password, it's new";
  writeFileSync(file, other);
  await podman.run("start", `${project}-grafana-role-1`);
  const code = await podman.run("wait", `${project}-grafana-role-1`);
  const answers = [(await ask("select 1", other)).code, (await ask("select 1", password)).code];
  if (code !== "0" || answers[0] !== 0 || answers[1] === 0) {
    throw new Error(`after another password, the role's container ended with ${code}, and psql with ${answers.join()}`);
  }
  return `Grafana's role reads ${granted.length} tables and views and no others, and takes another password`;
}
