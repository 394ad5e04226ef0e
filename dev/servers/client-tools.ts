import { trixieFolder } from "./trixie.ts";

const postgresTools = ["psql", "pg_dump", "pg_restore"];

/** Shell functions that run the client programs of Debian trixie instead of this machine's: psql, pg_dump, pg_restore,
 *  and etcdctl, which connects to `etcdEndpoint`. pg_dump must not be older than the server.
 *  @throws Error that names the missing requirement, or has the last lines of a log if Debian trixie cannot be installed */
export async function clientTools({
  etcdEndpoint = "",
}: { readonly etcdEndpoint?: string | undefined } = {}): Promise<string> {
  const trixie = await trixieFolder();
  // the programs also need trixie's libraries: this machine's may be older
  const libraries = `$(echo '${trixie}'/usr/lib/*-linux-gnu)`;
  const loader = `$(echo '${trixie}'/usr/lib/*-linux-gnu/ld-linux-*.so.?)`;
  const inTrixie = `"${loader}" --library-path "${libraries}" '${trixie}/usr/lib/postgresql/17/bin/`;
  const tools = postgresTools.map((name) => `${name}() { ${inTrixie}${name}' "$@"; }; `);
  return `${tools.join("")}etcdctl() { '${trixie}/usr/bin/etcdctl' --endpoints='${etcdEndpoint}' "$@"; }; `;
}
