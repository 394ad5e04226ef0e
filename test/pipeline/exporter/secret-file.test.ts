import { afterAll, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { parseConfig } from "../../../src/config/parse-config.ts";
import { scrapeSecurityOf } from "../../../src/roles/scrape-security.ts";
import { systemClock } from "../../../src/kit/clock.ts";
import { logSerializers } from "../../../src/terminal/log.ts";

const dir = await mkdtemp(join(tmpdir(), "telemetry-secrets-"));
afterAll(() => rm(dir, { recursive: true, force: true }));

/** The security of a process whose settings name a file, and a time that the test sets. */
function open(path: string, env: Record<string, string>) {
  const now = { ms: Date.UTC(2026, 0, 1) };
  // it waits by the machine's clock only if the file cannot be read
  const clock = { nowMs: () => now.ms, sleep: () => new Promise<void>(() => undefined), after: systemClock.after };
  const lines: string[] = [];
  const log = pino(
    { base: null, serializers: logSerializers },
    { write: (line: string) => lines.push((JSON.parse(line) as { msg: string }).msg) },
  );
  const { security, error } = scrapeSecurityOf(parseConfig(env), { clock, log });
  const write = (text: string): Promise<void> => writeFile(path, text);
  const later = (): Promise<string | undefined> => {
    now.ms += 1000;
    return security.authorization();
  };
  return { later, at: security.authorization, error, lines, write };
}

test("a token that is replaced is used from the next scrape on; while its file is missing, the last one stays and is told", async () => {
  const path = join(dir, "token");
  await writeFile(path, "first\n");
  const { later, at, error, lines, write } = open(path, { DCGM_BEARER_TOKEN_FILE: path });
  expect(await at()).toBe("Bearer first");
  await write("second\n");
  expect(await at()).toBe("Bearer first");
  expect(await Promise.all([later(), at()])).toEqual(["Bearer second", "Bearer second"]);
  for (const [unusable, problem] of [
    [undefined, "ENOENT"],
    ["", "it is empty"],
    ["two words", "only ASCII"],
  ] as const) {
    await (unusable === undefined ? rm(path) : write(unusable));
    expect(await later()).toBe("Bearer second");
    expect(await later()).toBe("Bearer second");
    expect(error()).toContain(problem);
    expect(lines.filter((line) => line.includes(problem))).toHaveLength(1);
    expect(lines.at(-1)).toContain("the last secret stays in use");
  }
  await write("third");
  expect(await later()).toBe("Bearer third");
  expect(error()).toBeUndefined();
  expect(lines.join()).not.toMatch(/first|second|third/);
});

test("a password that is replaced is used; a secret in the environment outranks its file", async () => {
  const path = join(dir, "password");
  await writeFile(path, "old one");
  const user = { DCGM_USERNAME: "scraper", DCGM_PASSWORD_FILE: path };
  const { later, write } = open(path, user);
  const ofEnvironment = open(path, { ...user, DCGM_PASSWORD: "mine" });
  await write("new one");
  expect(await later()).toBe(`Basic ${btoa("scraper:new one")}`);
  expect(await ofEnvironment.later()).toBe(`Basic ${btoa("scraper:mine")}`);
});
