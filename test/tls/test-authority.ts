import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Node and Bun can read certificates, but cannot make them. */
export const openssl = Bun.which("openssl");

/** A certificate and its key, as texts in PEM and as files. */
export interface TestCertificate {
  readonly cert: string;
  readonly key: string;
  readonly certFile: string;
  readonly keyFile: string;
}

export interface TestNames {
  /** As openssl writes it: `/O=acme/CN=grafana`. */
  readonly subject?: string;
  /** Each with its kind: `DNS:localhost`, `IP:127.0.0.1`, `URI:spiffe://acme/a`. */
  readonly names?: readonly string[];
  /** 0: it has expired already. */
  readonly days?: number;
}

const ecKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"];

/** A certificate authority whose files are in a folder. */
export class TestAuthority {
  private constructor(
    private readonly dir: string,
    private readonly own: TestCertificate,
  ) {}

  /** @throws Error with the output of openssl */
  static make(dir: string, name: string): TestAuthority {
    const { certFile, keyFile } = filesOf(dir, name);
    run(["req", "-x509", ...ecKey, "-days", "30", "-subj", `/CN=${name}`, "-keyout", keyFile, "-out", certFile]);
    return new TestAuthority(dir, read(dir, name));
  }

  get cert(): string {
    return this.own.cert;
  }

  get certFile(): string {
    return this.own.certFile;
  }

  /** @param name of the files */
  issue(
    name: string,
    { subject = `/CN=${name}`, names = ["DNS:localhost", "IP:127.0.0.1"], days = 30 }: TestNames = {},
  ): TestCertificate {
    const { certFile, keyFile } = filesOf(this.dir, name);
    const [request, extensions] = [join(this.dir, `${name}.csr`), join(this.dir, `${name}.ext`)];
    // in a section, a comma within a name can be escaped
    const alternative = names.map((text, at) => text.replaceAll(",", "\\,").replace(/^(\w+):/, `$1.${at}=`));
    const usage = ["basicConstraints=critical,CA:FALSE", "extendedKeyUsage=serverAuth,clientAuth"];
    writeFileSync(
      extensions,
      ["subjectAltName=@alternative", ...usage, "[alternative]", ...alternative, ""].join("\n"),
    );
    run(["req", ...ecKey, "-subj", subject, "-keyout", keyFile, "-out", request]);
    const by = [
      "-CA",
      this.own.certFile,
      "-CAkey",
      this.own.keyFile,
      "-set_serial",
      `${Math.ceil(Math.random() * 1e9)}`,
    ];
    run(["x509", "-req", "-in", request, ...by, "-days", `${days}`, "-extfile", extensions, "-out", certFile]);
    return read(this.dir, name);
  }
}

function filesOf(dir: string, name: string) {
  return { certFile: join(dir, `${name}.pem`), keyFile: join(dir, `${name}-key.pem`) };
}

function read(dir: string, name: string): TestCertificate {
  const files = filesOf(dir, name);
  return { ...files, cert: readFileSync(files.certFile, "utf8"), key: readFileSync(files.keyFile, "utf8") };
}

function run(args: readonly string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(["openssl", ...args]);
  if (exitCode !== 0) throw new Error(stderr.toString());
}
