import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type LiveGateway, openLiveGateway } from "../routes/live/live-gateway.ts";

// Commands that write a file, if they cannot: one sentence that says what to do.

const dir = await mkdtemp(join(tmpdir(), "telemetry-unwritable-"));
const folder = join(dir, "my");
const file = join(dir, "file");
let gateway: LiveGateway;
beforeAll(async () => {
  await mkdir(folder);
  await writeFile(file, "");
  gateway = await openLiveGateway();
});
afterAll(async () => {
  await gateway.close();
  await rm(dir, { recursive: true, force: true });
});

async function told(command: readonly string[]): Promise<{ status: number; said: string }> {
  const child = Bun.spawn([process.execPath, ...command], { stdout: "ignore", stderr: "pipe" });
  const [said, status] = await Promise.all([child.stderr.text(), child.exited]);
  return { status, said };
}

const small = ["--hosts", "1", "--gpus-per-host", "1", "--seconds", "10"];
const commands: readonly (readonly [option: string, command: (path: string) => readonly string[]])[] = [
  [
    "--parquet",
    (path) => ["scripts/telemetry.ts", "--url", `http://127.0.0.1:${gateway.port}`, "export", "--parquet", path],
  ],
  ["--out", (path) => ["scripts/simulate.ts", ...small, "--out", path]],
  ["--out", (path) => ["scripts/generate-swagger.ts", "--out", path]],
  ["--targets-file", (path) => ["scripts/simulate.ts", "--serve", "0", "--targets-file", path]],
];

test.each(commands)(
  "%s of a command that cannot write there is answered in one sentence",
  async (option, command) => {
    const [slash, missing, inFile] = [`${folder}/`, join(dir, "none", "x.out"), join(file, "x.out")];
    const cases: readonly (readonly [path: string, problem: string])[] = [
      [folder, "it is a folder; name a file in it"],
      [slash, "it is a folder; name a file in it"],
      [missing, `there is no folder ${join(dir, "none")}; create it, or name a file in another one`],
      [inFile, `${file} is no folder; name a file in one`],
    ];
    for (const [path, problem] of cases) {
      expect(await told(command(path))).toEqual({
        status: 1,
        said: `${option} ${path} cannot be written: ${problem}\n`,
      });
    }
    expect(await readdir(folder)).toEqual([]);
  },
  120_000,
);
