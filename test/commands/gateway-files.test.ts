import { afterAll, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gatewayInit } from "../../scripts/gateway/gateway-init.ts";

const dir = mkdtempSync(join(tmpdir(), "gateway-files-"));
afterAll(() => {
  rmSync(dir, { recursive: true });
});

test.each(["TELEMETRY_KEY_FILE", "TELEMETRY_CA_FILE", "TELEMETRY_CERT_FILE", "TELEMETRY_CERT_KEY_FILE"])(
  "a command says that the file of %s is missing",
  (variable) => {
    expect(() => gatewayInit({ [variable]: "/nowhere" })).toThrow(`${variable}=/nowhere cannot be read: ENOENT`);
  },
);

test.each(["", "\n", "the key 3f9ac02b1d:\ngtp_3f9ac02b1d_x"])(
  "a file without a key (%j) is told, not sent",
  (text) => {
    const file = join(dir, "key");
    writeFileSync(file, text);
    chmodSync(file, 0o600);
    expect(() => gatewayInit({ TELEMETRY_KEY_FILE: file })).toThrow(`TELEMETRY_KEY_FILE=${file} has no key`);
  },
);
