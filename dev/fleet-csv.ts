/** Writes a CSV file of the simulated fleet with `bun run simulate`.
 *  @param options the command's options without dashes, such as `gpus-per-host`
 *  @throws Error with the command's standard error */
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
