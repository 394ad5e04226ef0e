/** The folder of PostgreSQL's programs in the folder of Debian trixie. */
export const binaries = "/usr/lib/postgresql/17/bin";

/** The command that runs PostgreSQL with TimescaleDB on the data in /srv/data.
 *  @param more settings that replace or follow those below */
export function postgresCommand(
  { host, port }: { readonly host: string; readonly port: number },
  more: Readonly<Record<string, string>> = {},
): string[] {
  const settings = {
    listen_addresses: host,
    port,
    unix_socket_directories: "",
    fsync: "on",
    shared_preload_libraries: "timescaledb",
    "timescaledb.telemetry_level": "off",
    // each database with the extension uses one worker for its scheduler, in addition to the workers of its jobs
    max_worker_processes: 40,
    "timescaledb.max_background_workers": 24,
    ...more,
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  return [`${binaries}/postgres`, "-D", "/srv/data", ...flags];
}
