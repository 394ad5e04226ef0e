/** Writes a CSV of the simulated fleet, as `bun run simulate` does. */
export async function writeFleetCsv(path: string, options: Record<string, string | number>): Promise<void> {
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const root = `${import.meta.dir}/..`;
  const simulate = Bun.spawn([process.execPath, "scripts/simulate.ts", ...args, "--out", path], {
    cwd: root,
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  if ((await simulate.exited) !== 0) throw new Error(await new Response(simulate.stderr).text());
}
