import { afterAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type PipelineProcess, startPipeline, stopPipeline, urlOf } from "../../dev/pipeline-process.ts";
import { runTelemetry } from "../clients/run-telemetry.ts";
import { makeDataDir } from "../../dev/empty-store.ts";

// A gateway that the network reaches, from its first key on, with real processes.

const dir = await mkdtemp(join(tmpdir(), "telemetry-first-key-"));
const started: PipelineProcess[] = [];
const start = (env: Record<string, string>): PipelineProcess => {
  const pipeline = startPipeline({ DATA_DIR: dir, ROLE: "gateway", HOST: "0.0.0.0", ...env });
  started.push(pipeline);
  return pipeline;
};
afterAll(async () => {
  for (const pipeline of started) await stopPipeline(pipeline, "SIGKILL");
  await rm(dir, { recursive: true, force: true });
});
const withStarts = 180_000;
const key = `gtp_first_${"0".repeat(64)}`;

test(
  "a gateway beyond loopback needs a key: it ends without one, and serves who has one",
  async () => {
    await makeDataDir(dir);
    const none = start({});
    expect(await none.subprocess.exited).toBe(1);
    expect(none.output()).toContain("auth_missing");
    expect(none.output()).toContain("keys create --direct");
    const settings = { DATA_DIR: dir, HOST: "0.0.0.0" };
    const created = await runTelemetry(
      1,
      ["keys", "create", "--direct", "--name", "op", "--scopes", "read,admin"],
      settings,
    );
    expect([created.status, created.text]).toEqual([0, expect.stringMatching(/^gtp_[0-9a-f]{10}_[\w-]{43}\n$/)]);
    const gateway = start({});
    const url = await urlOf(gateway);
    const own = { headers: { authorization: `Bearer ${created.text.trim()}` } };
    const statuses = await Promise.all([
      fetch(`${url}/api/v1/gpus`),
      fetch(`${url}/api/v1/gpus`, own),
      fetch(`${url}/health/ready`),
    ]);
    expect(statuses.map(({ status }) => status)).toEqual([401, 200, 200]);
    expect(await (await fetch(`${url}/health`, own)).json()).toMatchObject({
      components: { access: { activity: "1 valid key" } },
    });
    const port = Number(new URL(url).port);
    const withKey = { TELEMETRY_KEY: created.text.trim() };
    const [refused, listed, another] = [
      await runTelemetry(port, ["keys", "list"]),
      await runTelemetry(port, ["keys", "list"], withKey),
      await runTelemetry(port, ["keys", "create", "--name", "ci", "--scopes", "write", "--json"], withKey),
    ];
    expect([refused.status, refused.errors]).toEqual([1, expect.stringContaining("This needs a key")]);
    expect(listed.text).toContain("read,admin");
    const { id, key: text } = JSON.parse(another.text) as { id: string; key: string };
    const rotated = await runTelemetry(port, ["keys", "rotate", id, "--overlap", "0"], withKey);
    expect([rotated.status, rotated.text]).toEqual([0, expect.stringMatching(/^gtp_/)]);
    expect(await runTelemetry(port, ["keys", "revoke", id], withKey)).toMatchObject({ status: 0 });
    expect((await fetch(`${url}/api/v1/gpus`, { headers: { authorization: `Bearer ${text}` } })).status).toBe(401);
    const team = ["--name", "team", "--scopes", "read", "--clusters", "b,a", "--namespaces", "ml"];
    const beyond = await runTelemetry(port, ["keys", "make", ...team, "--scopes", "read,write"]);
    expect([beyond.status, beyond.errors]).toEqual([1, expect.stringContaining("--scopes read,write is not usable")]);
    const made = await runTelemetry(port, ["keys", "make", "--json", ...team]);
    const line = (JSON.parse(made.text) as { line: string }).line;
    expect(JSON.parse(line)).toMatchObject({ selector: { clusters: ["a", "b"], namespaces: ["ml"] } });
    const bounded = await runTelemetry(port, ["keys", "create", ...team], withKey);
    expect([bounded.status, bounded.errors]).toEqual([0, expect.stringContaining("no cluster a is known yet\n")]);
    expect((await runTelemetry(port, ["keys", "list"], withKey)).text).toContain("clusters=a,b namespaces=ml");
    expect(gateway.output() + none.output()).not.toContain(created.text.trim().slice(-43));
    await stopPipeline(gateway);
  },
  withStarts,
);

test(
  "AUTH=off beyond loopback is said in the log, the banner and /health; a bootstrap key closes even loopback",
  async () => {
    const open = start({ AUTH: "off" });
    const url = await urlOf(open);
    const notice = "AUTH=off: everyone who reaches the port may read and change everything";
    await open.waitFor(new RegExp(`access +${notice}`));
    expect(open.output().split(notice).length).toBeGreaterThan(2);
    expect(await (await fetch(`${url}/health`)).json()).toMatchObject({ components: { access: { activity: notice } } });
    await stopPipeline(open);
    const closed = start({ HOST: "127.0.0.1", AUTH_BOOTSTRAP_KEY: key });
    const own = { headers: { authorization: `Basic ${Buffer.from(`me:${key}`).toString("base64")}` } };
    const at = `${await urlOf(closed)}/api/v1/keys`;
    expect([(await fetch(at)).status, (await fetch(at, own)).status]).toEqual([401, 200]);
    expect(closed.output()).not.toContain("0".repeat(64));
    await stopPipeline(closed);
  },
  withStarts,
);

test("a key for a file is made without a gateway, with the line that does not contain it", async () => {
  const made = await runTelemetry(1, [
    "keys",
    "make",
    "--name",
    "ci",
    "--scopes",
    "read",
    "--expires",
    "2090-01-01T00:00:00Z",
  ]);
  const [text = "", line = ""] = made.text.trim().split("\n");
  const { id, sha256 } = JSON.parse(line) as { id: string; sha256: string };
  expect([text.startsWith(`gtp_${id}_`), new Bun.CryptoHasher("sha256").update(text).digest("hex")]).toEqual([
    true,
    sha256,
  ]);
  for (const wrong of [
    ["--scopes", "all"],
    ["--scopes", "read", "--expires", "2020-01-01T00:00:00Z"],
  ]) {
    const refused = await runTelemetry(1, ["keys", "make", "--name", "ci", ...wrong]);
    expect([refused.status, refused.errors]).toEqual([1, expect.stringContaining("is not usable")]);
  }
});
