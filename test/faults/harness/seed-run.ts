import type { IRangeRequest, IRangeResponse } from "etcd3";
import type { ClientCertificate } from "../../../dev/servers/certificates.ts";
import { untilResolved } from "../../../dev/until.ts";
import { PostgresClient } from "../../../src/db/postgres-client.ts";
import { systemClock } from "../../../src/kit/clock.ts";
import { EtcdClient } from "../../../src/etcd/etcd-client.ts";
import { QueueKeys } from "../../../src/pipeline/queue/etcd/queue-keys.ts";
import { fileIdsOf } from "../../support/csv-reading.ts";
import { CheckpointKeys } from "../../../src/pipeline/stream/assignment/checkpoint-keys.ts";
import { EtcdFileIds } from "../../../src/pipeline/stream/assignment/etcd-file-ids.ts";
import { clientOptions, type Servers } from "./processes.ts";

/** The database and topic that only one run uses, and clients for them. */
export interface PlainRun {
  readonly etcd: EtcdClient;
  readonly database: PostgresClient;
  /** For the processes of the pipeline: with TLS, if the server has it. */
  readonly databaseUrl: string;
  readonly topic: string;
  readonly queue: QueueKeys;
  close(): Promise<void>;
}

/** A run that reads a file: it also has checkpoints. */
export interface SeedRun extends PlainRun {
  readonly clusterId: string;
  /** The keys under the id that a streamer of this checkout would choose now: that of an earlier version, if one began the file. */
  chosenCheckpoints(): Promise<CheckpointKeys>;
  /** The keys under each id that the file may have. */
  readonly possibleCheckpoints: readonly CheckpointKeys[];
}

/** A client of the judge, whose reads are repeated: the member that it uses may just have been restarted. */
class PatientEtcdClient extends EtcdClient {
  override range(request: IRangeRequest): Promise<IRangeResponse> {
    return untilResolved(() => super.range(request), { timeoutMs: 30_000 });
  }
}

function withTls(url: string, certificates: ClientCertificate | undefined): string {
  if (certificates === undefined) return url;
  const { caFile, certFile, keyFile } = certificates;
  return `${url}?sslmode=verify-full&sslrootcert=${caFile}&sslcert=${certFile}&sslkey=${keyFile}`;
}

/** Creates the run's database, and opens clients that read the run's data from outside its processes. */
export async function openPlainRun(servers: Servers, seed: number): Promise<PlainRun> {
  const name = `run_${seed}_${Date.now().toString(36)}`;
  const admin = new PostgresClient({ url: servers.database.url, maxConnections: 1, clock: systemClock });
  const tablespace = servers.database.disks === undefined ? "" : "tablespace tables";
  await admin.query(`create database ${name} ${tablespace}`);
  const plainUrl = servers.database.url.replace(/\/[^/]*$/, `/${name}`);
  const databaseUrl = withTls(plainUrl, servers.database.certificates);
  const database = new PostgresClient({ url: plainUrl, maxConnections: 2, clock: systemClock });
  const etcd = new PatientEtcdClient(clientOptions(servers));
  return {
    etcd,
    database,
    databaseUrl,
    topic: name,
    queue: new QueueKeys(name),
    close: async () => {
      etcd.close();
      await database.close();
      await admin.query(`drop database ${name} with (force)`);
      await admin.close();
    },
  };
}

/** Opens a run that reads a file.
 *  @param options `clusterId`: absent, the topic is also the name of the cluster */
export async function openSeedRun(
  servers: Servers,
  { seed, csvFile, clusterId }: { readonly seed: number; readonly csvFile: string; readonly clusterId?: string },
): Promise<SeedRun> {
  const run = await openPlainRun(servers, seed);
  const ids = await fileIdsOf(csvFile);
  const chosen = new EtcdFileIds(run.etcd, run.topic);
  const keysOf = (id: string): CheckpointKeys => new CheckpointKeys(run.topic, id);
  return {
    ...run,
    clusterId: clusterId ?? run.topic,
    chosenCheckpoints: async () => keysOf(await chosen.choose(ids)),
    possibleCheckpoints: [...new Set([ids.id, ids.earlierId])].map(keysOf),
  };
}
