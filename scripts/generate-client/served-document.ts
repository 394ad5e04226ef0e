import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dir, "../..");

/** The OpenAPI document of this checkout. Starts a gateway on a free port with an empty data folder, and stops it afterwards.
 *  @throws Error if the gateway does not start (with its standard error), or does not answer with the document */
export async function servedDocument(): Promise<string> {
  const dataDir = await mkdtemp(join(tmpdir(), "telemetry-document-"));
  const gateway = Bun.spawn([process.execPath, "src/main.ts"], {
    cwd: root,
    env: {
      ...{ PATH: process.env.PATH ?? "", HOME: process.env.HOME ?? "" },
      ...{ ROLE: "gateway", PORT: "0", DATA_DIR: dataDir, LOG_LEVEL: "warn" },
    },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: 60_000,
  });
  try {
    const url = await urlIn(gateway.stdout);
    if (url === undefined) throw new Error(`The gateway did not start: ${await new Response(gateway.stderr).text()}`);
    const answer = await fetch(`${url}/swagger/swagger.json`, { signal: AbortSignal.timeout(10_000) });
    if (!answer.ok) throw new Error(`GET ${answer.url} answered ${answer.status}: ${await answer.text()}`);
    return await answer.text();
  } finally {
    gateway.kill();
    await gateway.exited;
    await rm(dataDir, { recursive: true, force: true });
  }
}

/** @returns the URL that the gateway prints; undefined if the output ends without one */
async function urlIn(output: ReadableStream<Uint8Array>): Promise<string | undefined> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of output) {
    text += decoder.decode(chunk, { stream: true });
    const url = /health\s+(http:\/\/\S+)\/health\s/.exec(text)?.[1];
    if (url !== undefined) return url;
  }
  return undefined;
}
