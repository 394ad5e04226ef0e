import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InvalidConfig } from "../../src/domain/errors.ts";
import { openEtcd } from "../../src/etcd/open-etcd.ts";

const dir = mkdtempSync(join(tmpdir(), "telemetry-etcd-files-"));
afterAll(() => rmSync(dir, { recursive: true }));

test("a file that is no certificate is named with its settings, instead of an error of the TLS library later", () => {
  const etcdCaFile = join(dir, "ca.pem");
  writeFileSync(etcdCaFile, "not a certificate");
  const open = () => openEtcd({ etcdEndpoints: ["https://etcd:2379"], etcdCaFile });
  expect(open).toThrow(InvalidConfig);
  expect(open).toThrow(`${etcdCaFile} cannot be used for TLS (ETCD_CA_FILE, ETCD_CERT_FILE, ETCD_KEY_FILE)`);
  expect(() => openEtcd({ etcdEndpoints: ["https://etcd:2379"], etcdCaFile: join(dir, "none") })).toThrow(
    "cannot be read",
  );
});
