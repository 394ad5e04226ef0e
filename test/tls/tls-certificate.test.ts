import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TlsUnusable } from "../../src/domain/errors.ts";
import { TlsCertificate } from "../../src/tls/tls-certificate.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { openssl, TestAuthority } from "./test-authority.ts";
import { unshownLog } from "../../dev/unshown-log.ts";

const dir = mkdtempSync(join(tmpdir(), "telemetry-certificates-"));
afterAll(() => rmSync(dir, { recursive: true }));
const dayMs = 86_400_000;
const files = { certFile: join(dir, "live.pem"), keyFile: join(dir, "live-key.pem"), clientCaFile: undefined };

describe.skipIf(openssl === null)("the certificate of a process (needs openssl)", () => {
  const authority = openssl === null ? undefined : TestAuthority.make(dir, "ca");
  const issue = (...given: Parameters<TestAuthority["issue"]>) => {
    if (authority === undefined) throw new Error("no openssl");
    return authority.issue(...given);
  };
  const [first, second] = openssl === null ? [] : [issue("first"), issue("second")];
  const put = (cert = "", key = ""): void => {
    writeFileSync(files.certFile, cert);
    writeFileSync(files.keyFile, key);
  };
  const opened = (clock = new ManualClock(Date.now())): TlsCertificate =>
    new TlsCertificate({ files, clock, log: unshownLog() });
  const started = async (clock?: ManualClock): Promise<TlsCertificate> => {
    put(first?.cert, first?.key);
    const certificate = opened(clock);
    await certificate.start();
    return certificate;
  };
  const failure = (): Promise<string> =>
    opened()
      .start()
      .then(
        () => "started",
        (error: unknown) => (error instanceof TlsUnusable ? error.message : String(error)),
      );

  test.each([
    ["is missing", "", "", "TLS_CERT_FILE=", "has no certificate; expected PEM"],
    ["has a damaged certificate", "damaged", "key", "TLS_CERT_FILE=", "that cannot be read"],
    [
      "belongs to another key",
      "first",
      "second",
      "TLS_KEY_FILE=",
      "is not the key of the certificate in TLS_CERT_FILE=",
    ],
    ["comes after its authority", "reversed", "first", "TLS_CERT_FILE=", "must be the first one"],
    ["has no key", "first", "none", "TLS_KEY_FILE=", "has no private key; expected PEM"],
    ["has a key with a passphrase", "first", "locked", "TLS_KEY_FILE=", "needs a passphrase"],
  ])("that %s prevents the start, and the error names the file", async (_, cert, key, setting, problem) => {
    const certs: Record<string, string | undefined> = {
      first: first?.cert,
      damaged: first?.cert.replace(/\n.*\n/, "\nAAAA\n"),
      reversed: `${authority?.cert}${first?.cert}`,
    };
    const locked = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----";
    const keys: Record<string, string | undefined> = { first: first?.key, second: second?.key, locked };
    put(certs[cert], keys[key]);
    const message = await failure();
    expect(message).toStartWith(setting);
    expect(message).toContain(problem);
  });

  test("whose file does not exist prevents the start, and the error names the setting", async () => {
    put();
    rmSync(files.certFile);
    expect(await failure()).toMatch(/^TLS_CERT_FILE=.*live\.pem cannot be read: ENOENT/);
  });

  test("is replaced when both files have changed; a key without its certificate leaves the old one in use", async () => {
    const certificate = await started();
    const seen: string[] = [];
    certificate.onChange(({ name }) => seen.push(name));
    put(second?.cert, first?.key);
    await certificate.refresh();
    expect([certificate.current.name, seen]).toEqual(["CN=first", []]);
    expect(certificate.error()).toContain("is not the key of the certificate");
    put(second?.cert, second?.key);
    await certificate.refresh();
    expect([certificate.current.name, seen, certificate.error()]).toEqual(["CN=second", ["CN=second"], undefined]);
  });

  test("stays in use while its file is gone, and the error ends when the file is back", async () => {
    const certificate = await started();
    rmSync(files.certFile);
    await certificate.refresh();
    expect(certificate.error()).toContain("cannot be read");
    expect(certificate.current.name).toBe("CN=first");
    put(first?.cert, first?.key);
    await certificate.refresh();
    expect(certificate.error()).toBeUndefined();
  });

  test("is not replaced by one that has expired", async () => {
    const clock = new ManualClock(Date.now());
    const certificate = await started(clock);
    const expired = issue("expired", { days: 0 });
    put(expired.cert, expired.key);
    await clock.advance(dayMs);
    await certificate.refresh();
    expect(certificate.current.name).toBe("CN=first");
    expect(certificate.error()).toMatch(/CN=expired expired at \d{4}-/);
  });

  test("that ends soon is an error before it ends, and one that has expired does not end the process", async () => {
    const clock = new ManualClock(Date.now());
    const certificate = await started(clock);
    expect([certificate.error(), certificate.activity()]).toEqual([undefined, "CN=first: it expires in 29 days"]);
    // 30 days in all: from the last fifth of them
    await clock.advance(25 * dayMs);
    await certificate.refresh();
    expect(certificate.error()).toContain("it expires in 4 days; put a new one into TLS_CERT_FILE");
    await clock.advance(6 * dayMs);
    await certificate.refresh();
    expect(certificate.error()).toContain("it has expired, and clients refuse it");
    expect(certificate.remainingDays()).toBeLessThan(0);
    const late = opened(clock);
    await late.start();
    expect(late.error()).toContain("it has expired");
    put(second?.cert, second?.key);
  });
});
