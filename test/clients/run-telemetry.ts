/** The result of a run of the command line. */
interface CommandResult {
  readonly status: number;
  readonly text: string;
  readonly errors: string;
}

/** Runs scripts/telemetry.ts against the gateway at this port.
 *  @param env more of its environment */
export async function runTelemetry(
  port: number,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<CommandResult> {
  const child = Bun.spawn([process.execPath, "scripts/telemetry.ts", ...args], {
    cwd: `${import.meta.dir}/../..`,
    env: { ...process.env, TELEMETRY_URL: `http://127.0.0.1:${port}`, NO_COLOR: "1", ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: 20_000,
  });
  const [text, errors] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { status: await child.exited, text, errors };
}
