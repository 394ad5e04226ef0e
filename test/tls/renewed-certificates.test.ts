import { afterAll, beforeAll, expect, test } from "bun:test";
import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ClientCertificate } from "../../dev/servers/certificates.ts";
import { type EtcdCluster, startEtcd } from "../../dev/servers/etcd.ts";
import { type PostgresServer, startPostgres } from "../../dev/servers/postgres.ts";
import { untilResolved } from "../../dev/until.ts";
import { parseConfig } from "../../src/config/parse-config.ts";
import { PostgresClient } from "../../src/db/postgres-client.ts";
import type { EtcdClient } from "../../src/etcd/etcd-client.ts";
import { openEtcd } from "../../src/etcd/open-etcd.ts";
import { get, put } from "../../src/etcd/requests.ts";
import { systemClock as clock } from "../../src/kit/clock.ts";
import { AnswerMemory } from "../../src/pipeline/source/exporter/answer-memory.ts";
import { ScrapeClient } from "../../src/pipeline/source/exporter/scrape-client.ts";
import { scrapeSecurityOf } from "../../src/roles/scrape-security.ts";
import { unshownLog } from "../../dev/unshown-log.ts";

let etcd: EtcdCluster;
let database: PostgresServer;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "telemetry-renewed-"));
  [etcd, database] = await Promise.all([startEtcd({ members: 1, tls: true }), startPostgres({ tls: true })]);
}, 300_000);
afterAll(async () => {
  await Promise.all([etcd.stop(), database.stop()]);
  await rm(folder, { recursive: true });
}, 60_000);

/** Copies the files of a server to where the client has its own, one after the other. */
async function install(from: ClientCertificate | undefined, name: string): Promise<ClientCertificate> {
  const file = (kind: string): string => join(folder, `${name}-${kind}.pem`);
  const own = { caFile: file("ca"), certFile: file("client"), keyFile: file("client-key") };
  await copyFile(from?.caFile ?? "", own.caFile);
  await copyFile(from?.certFile ?? "", own.certFile);
  await copyFile(from?.keyFile ?? "", own.keyFile);
  return own;
}

function etcdOf({ caFile, certFile, keyFile }: ClientCertificate): EtcdClient {
  const files = { etcdCaFile: caFile, etcdCertFile: certFile, etcdKeyFile: keyFile };
  return openEtcd({ etcdEndpoints: etcd.endpoints, ...files }) as EtcdClient;
}

test("a client of etcd goes on with renewed files, of another authority, without a new start", async () => {
  const files = await install(etcd.tls, "etcd");
  const client = etcdOf(files);
  try {
    await client.txn({ success: [put("/renewed", "before")] });
    await etcd.renewCertificates();
    // the old files are of another authority
    await expect(client.txn({ success: [get("/renewed")] })).rejects.toThrow();
    await expect(client.txn({ success: [get("/renewed")] })).rejects.toThrow();
    await writeFile(files.certFile, "half of a cert");
    await expect(client.txn({ success: [get("/renewed")] })).rejects.toThrow();
    await install(etcd.tls, "etcd");
    const { responses } = await untilResolved(() => client.txn({ success: [get("/renewed")] }));
    expect(responses[0]?.response_range.kvs[0]?.value.toString()).toBe("before");
  } finally {
    client.close();
  }
}, 120_000);

test("a client of PostgreSQL uses renewed files for its next connection, and those of before while the new ones are no PEM", async () => {
  const { caFile, certFile, keyFile } = await install(database.certificates, "database");
  const query = `sslmode=verify-full&sslrootcert=${caFile}&sslcert=${certFile}&sslkey=${keyFile}`;
  const client = new PostgresClient({ url: `${database.url}?${query}`, maxConnections: 1, clock });
  const name = async (): Promise<string | undefined> => {
    const text = "select client_dn as dn from pg_stat_ssl where pid = pg_backend_pid()";
    return (await client.query<{ dn: string }>(text))[0]?.dn;
  };
  const endAll = "select pg_terminate_backend(pid) from pg_stat_ssl where ssl and pid <> pg_backend_pid()";
  const admin = new PostgresClient({ url: database.url, maxConnections: 1, clock });
  try {
    expect(await name()).toBe("/O=telemetry/OU=client");
    for (const path of [caFile, certFile, keyFile]) await writeFile(path, "");
    await admin.query(endAll);
    expect(await untilResolved(name)).toBe("/O=telemetry/OU=client");
    await database.renewCertificates();
    await install(database.certificates, "database");
    await admin.query(endAll);
    expect(await untilResolved(name)).toBe("/O=telemetry/OU=client");
  } finally {
    await Promise.all([client.close(), admin.close()]);
  }
}, 120_000);

const openssl = Bun.which("openssl");
test.skipIf(openssl === null)(
  "a scrape uses renewed files of DCGM_CA_FILE, DCGM_CERT_FILE and DCGM_KEY_FILE (needs openssl)",
  async () => {
    const at = (name: string): string => join(folder, name);
    const make = (): void => {
      const script = join(import.meta.dir, "../../dev/servers/make-certificates.sh");
      expect(Bun.spawnSync(["sh", script], { cwd: folder }).exitCode).toBe(0);
    };
    const serve = async (port: number): Promise<Bun.Server<undefined>> => {
      const read = (name: string): Promise<string> => Bun.file(at(name)).text();
      const [ca, cert, key] = await Promise.all([read("ca.pem"), read("server.pem"), read("server-key.pem")]);
      const tls = { ca, cert, key, requestCert: true, rejectUnauthorized: true };
      return Bun.serve({
        port,
        hostname: "127.0.0.1",
        tls,
        fetch: () => new Response("up 1\n", { headers: { "content-type": "text/plain" } }),
      });
    };
    make();
    const config = parseConfig({
      ...{ DCGM_TARGETS: "https://127.0.0.1:1", CLUSTER_ID: "lab" },
      ...{ DCGM_CA_FILE: at("ca.pem"), DCGM_CERT_FILE: at("client.pem"), DCGM_KEY_FILE: at("client-key.pem") },
    });
    const { security } = scrapeSecurityOf(config, { clock, log: unshownLog() });
    const memory = new AnswerMemory(1e6);
    const client = new ScrapeClient({ timeoutMs: 5000, maxBytes: 1000, memory, security });
    let server = await serve(0);
    const { port = 0 } = server;
    const scrape = async (): Promise<string> => {
      const { bytes } = await client.scrape(`https://127.0.0.1:${port}/metrics`, new AbortController().signal);
      return new TextDecoder().decode(bytes);
    };
    try {
      expect(await scrape()).toBe("up 1\n");
      await server.stop(true);
      make();
      server = await serve(port);
      expect(await untilResolved(scrape)).toBe("up 1\n");
    } finally {
      client.close();
      await server.stop(true);
    }
  },
  60_000,
);
