import { afterAll, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exposedFiles } from "../../src/config/exposed-files.ts";
import { exposureOf } from "../../src/kit/private-files.ts";

const dir = mkdtempSync(join(tmpdir(), "telemetry-modes-"));
afterAll(() => rmSync(dir, { recursive: true }));

function file(name: string, mode: number): string {
  const path = join(dir, name);
  writeFileSync(path, "secret");
  chmodSync(path, mode);
  return path;
}

test.each([
  [0o600, undefined],
  [0o640, undefined],
  [0o644, /^other users of this machine may read KEY=.*\(0644\); chmod 600 makes it private$/],
  [0o660, /may change KEY/],
  [0o666, /may read and change KEY/],
])("of a file with the mode %o, what other users may do is said", (mode, expected) => {
  const found = exposureOf("KEY", file("key", mode));
  if (expected === undefined) expect(found).toBeUndefined();
  else expect(found).toMatch(expected);
});

test("every file of a key, a secret or of access that others may read is named at the start", () => {
  const open = file("open", 0o644);
  const env = {
    TLS_KEY_FILE: open,
    AUTH_KEYS_FILE: open,
    DATABASE_URL_FILE: open,
    AUTH_BOOTSTRAP_KEY_FILE: file("own", 0o600),
  };
  const found = exposedFiles({ ...env, ETCD_KEY_FILE: join(dir, "none"), CSV_FILE: open });
  expect(found.map((text) => /may read (\w+)=/.exec(text)?.[1])).toEqual([
    "TLS_KEY_FILE",
    "AUTH_KEYS_FILE",
    "DATABASE_URL_FILE",
  ]);
});
