import { generateKeyPairSync } from "node:crypto";
import { chmodSync, copyFileSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { untilResolved } from "../until.ts";
import { type ClientCertificate, makeCertificates } from "./certificates.ts";
import { freePorts } from "./free-ports.ts";
import { makeRunFolder } from "./run-folder.ts";
import { runInTrixie, type TrixieCommand, TrixieServer } from "./trixie-server.ts";
import { trixieFolder } from "./trixie.ts";

/** One etcd process. After a kill, `start` restarts it with the same data and ports. If a majority of the cluster is down,
 *  start several members at the same time: no member is healthy before a majority runs. */
export interface EtcdMember {
  readonly name: string;
  readonly clientUrl: string;
  /** Its data directory, to be removed or replaced while it is down. */
  readonly dataFolder: string;
  /** The server's process id on this machine. */
  readonly pid: number;
  /** Sends a signal, SIGKILL by default, and waits until the process has ended. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Resolves when the member is healthy. */
  start(): Promise<void>;
  /** Sends a signal, such as SIGSTOP or SIGCONT, and does not wait. */
  signal(signal: NodeJS.Signals): void;
  /** Has the member give free pages of its file back. It answers nothing meanwhile. */
  defragment(): Promise<void>;
  /** Kills the member and removes its data, and adds an empty one in its place, as after the loss of a disk. Needs a majority of the
   *  others. Resolves when the new one is healthy. */
  replace(): Promise<void>;
  /** Kills the member and removes its data. Its next start is the first one of a new cluster. */
  empty(): Promise<void>;
}

/** A running etcd of one or three members. */
export interface EtcdCluster {
  readonly endpoints: readonly string[];
  readonly members: readonly EtcdMember[];
  readonly tls: ClientCertificate | undefined;
  /** Puts certificates of another authority in place of all files, and starts the members again with them, all at the same time: none of
   *  them trusts those of before. Only with `tls`. */
  renewCertificates(): Promise<void>;
  /** Stops all members and removes their data. */
  stop(): Promise<void>;
}

export interface EtcdOptions {
  readonly members: 1 | 3;
  /** The server requires client certificates. */
  readonly tls?: boolean;
  /** Turns authentication on. This user may read and write every key, but is not an administrator. */
  readonly user?: { readonly name: string; readonly password: string };
  /** The tokens of authentication are signed, and expire after this time, however often they are used. Absent: etcd's own tokens, which
   *  expire after 300 s without use. */
  readonly tokenSeconds?: number;
  readonly quotaBytes?: number;
  /** A file that `etcdctl snapshot save` wrote. The cluster starts with the keys in it. */
  readonly snapshotFile?: string;
  /** The address and network namespace of a member; absent: 127.0.0.1 in the machine's own namespace. */
  readonly memberOptions?: (index: number) => { readonly host?: string; readonly netns?: string };
}

const signedTokens = "jwt,pub-key=/srv/tokens.pem,priv-key=/srv/tokens-key.pem,sign-method=RS256";
const clientFlags = ["--cacert=/srv/ca.pem", "--cert=/srv/client.pem", "--key=/srv/client-key.pem"];
const defaultQuotaBytes = 2 * 1024 ** 3;

/** The name, network namespace and addresses of a member. */
interface Seat {
  readonly name: string;
  readonly host: string;
  readonly netns: string | undefined;
  readonly listenUrl: string;
  readonly clientUrl: string;
  readonly peerUrl: string;
  /** The URL that answers health checks without a certificate. */
  readonly metricsUrl: string;
}

/** What the members of a cluster share. */
interface Cluster {
  readonly seats: readonly Seat[];
  readonly options: EtcdOptions;
  readonly place: Pick<TrixieCommand, "trixie" | "folder" | "user">;
}

/** Starts etcd. Its data is removed by `stop`, or when this process ends. etcd does not compact by itself.
 *  @throws Error with the last lines of a member's log, the output of a command that failed, or the missing requirement */
export async function startEtcd(options: EtcdOptions): Promise<EtcdCluster> {
  const trixie = await trixieFolder();
  const seats = await takeSeats(options);
  const folder = makeRunFolder();
  const members: EtcdMember[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(members.map((member) => member.kill()));
    await folder.remove();
  };
  try {
    const place = { trixie, folder: folder.path, user: "etcd" } as const;
    const hosts = seats.map(({ host }) => host);
    const tls = options.tls ? await makeCertificates(place, hosts) : undefined;
    if (options.tokenSeconds !== undefined) await makeSigningKeys(folder.path);
    if (options.snapshotFile !== undefined) {
      const snapshot = join(folder.path, "snapshot");
      copyFileSync(options.snapshotFile, snapshot);
      // etcdctl makes the file readable only for the user that runs etcdctl
      chmodSync(snapshot, 0o644);
      for (const seat of seats) await runInTrixie({ ...place, command: restoreCommand(seat, seats) });
    }
    for (const seat of seats) members.push(memberOf(seat, { seats, options, place }));
    await Promise.all(members.map((member) => member.start()));
    const [first] = seats as [Seat];
    if (options.user !== undefined) {
      await runInTrixie({ ...place, netns: first.netns, command: authenticationCommand(first, options) });
    }
    return {
      endpoints: seats.map(({ clientUrl }) => clientUrl),
      members,
      tls,
      renewCertificates: () => makeCertificates(place, hosts).then(() => restartAll(members)),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function restartAll(members: readonly EtcdMember[]): Promise<void> {
  await Promise.all(members.map((member) => member.kill()));
  await Promise.all(members.map((member) => member.start()));
}

async function takeSeats({ members, tls, memberOptions }: EtcdOptions): Promise<Seat[]> {
  const ports = await freePorts(members * 3);
  const scheme = tls ? "https" : "http";
  return Array.from({ length: members }, (_, index) => {
    const { host = "127.0.0.1", netns } = memberOptions?.(index) ?? {};
    const [client, peer, metrics] = ports.slice(index * 3) as [number, number, number];
    // with TLS, a client needs a host name, because Bun refuses an address as the server's name
    const publicHost = tls && host === "127.0.0.1" ? "localhost" : host;
    return {
      name: `etcd-${index}`,
      host,
      netns,
      listenUrl: `${scheme}://${host}:${client}`,
      clientUrl: `${scheme}://${publicHost}:${client}`,
      peerUrl: `http://${host}:${peer}`,
      metricsUrl: `http://${host}:${metrics}`,
    };
  });
}

const clusterOf = (seats: readonly Seat[]): string => seats.map(({ name, peerUrl }) => `${name}=${peerUrl}`).join(",");

function restoreCommand({ name, peerUrl }: Seat, seats: readonly Seat[]): string[] {
  return [
    ...["etcdutl", "snapshot", "restore", "/srv/snapshot"],
    ...[`--data-dir=/srv/${name}`, `--name=${name}`],
    ...[`--initial-cluster=${clusterOf(seats)}`, `--initial-advertise-peer-urls=${peerUrl}`],
  ];
}

/** Writes the keys with which the members sign tokens and check them. */
async function makeSigningKeys(folder: string): Promise<void> {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const files = {
    "tokens-key.pem": privateKey.export({ type: "pkcs8", format: "pem" }),
    "tokens.pem": publicKey.export({ type: "spki", format: "pem" }),
  };
  // etcd runs as another user
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text, { mode: 0o644 });
}

/** @param state `existing`: the member is an empty one that joins the others */
function commandOf(seat: Seat, { seats, options }: Cluster, state: "new" | "existing"): string[] {
  const { tls, quotaBytes = defaultQuotaBytes, tokenSeconds } = options;
  const { name, listenUrl, clientUrl, peerUrl, metricsUrl } = seat;
  const tlsFlags = ["--cert-file=/srv/server.pem", "--key-file=/srv/server-key.pem", "--trusted-ca-file=/srv/ca.pem"];
  return [
    "etcd",
    `--name=${name}`,
    `--data-dir=/srv/${name}`,
    `--listen-client-urls=${listenUrl}`,
    `--advertise-client-urls=${clientUrl}`,
    `--listen-peer-urls=${peerUrl}`,
    `--initial-advertise-peer-urls=${peerUrl}`,
    `--initial-cluster=${clusterOf(seats)}`,
    `--initial-cluster-state=${state}`,
    `--listen-metrics-urls=${metricsUrl}`,
    ...["--snapshot-count=1000", "--experimental-snapshot-catchup-entries=1000"],
    `--quota-backend-bytes=${quotaBytes}`,
    ...(tokenSeconds === undefined ? [] : [`--auth-token=${signedTokens},ttl=${tokenSeconds}s`]),
    "--logger=zap",
    "--log-level=error",
    ...(tls ? ["--client-cert-auth", ...tlsFlags] : []),
  ];
}

/** A command that turns authentication on. etcd requires a user `root` for that. */
function authenticationCommand({ listenUrl }: Seat, { tls, user }: EtcdOptions): string[] {
  const certificate = tls ? clientFlags.join(" ") : "";
  const script = `
    set -eu
    endpoint=$1 name=$2 password=$3
    ctl() { etcdctl --endpoints="$endpoint" ${certificate} "$@"; }
    ctl user add "root:$password"
    ctl user grant-role root root
    ctl role add reader-and-writer
    ctl role grant-permission reader-and-writer readwrite --prefix ""
    ctl user add "$name:$password"
    ctl user grant-role "$name" reader-and-writer
    ctl auth enable`;
  return ["sh", "-c", script, "sh", listenUrl, user?.name ?? "", user?.password ?? ""];
}

/** A member without space counts as healthy, so that tests of a full etcd can restart it. */
async function isHealthy(metricsUrl: string): Promise<boolean> {
  const response = await fetch(`${metricsUrl}/health?exclude=NOSPACE`, { signal: AbortSignal.timeout(2000) });
  return response.ok && ((await response.json()) as { health: string }).health === "true";
}

/** Runs etcdctl at a member, as the administrator. @returns what it prints */
function runControl({ place, options: { tls, user } }: Cluster, at: Seat, words: readonly string[]): Promise<string> {
  const rights = [...(tls ? clientFlags : []), ...(user === undefined ? [] : [`--user=root:${user.password}`])];
  const command = ["etcdctl", `--endpoints=${at.clientUrl}`, ...rights, ...words];
  return runInTrixie({ ...place, netns: at.netns, command });
}

function memberOf(seat: Seat, cluster: Cluster): EtcdMember {
  const { name, netns, clientUrl, metricsUrl, peerUrl } = seat;
  const { place, seats } = cluster;
  const dataFolder = join(place.folder, name);
  const serverIn = (state: "new" | "existing"): TrixieServer => {
    const command = commandOf(seat, cluster, state);
    return new TrixieServer({ ...place, name, netns, command, answers: () => isHealthy(metricsUrl) });
  };
  let server = serverIn("new");
  const control = (at: Seat, ...words: string[]): Promise<string> => runControl(cluster, at, words);
  const clear = async (): Promise<void> => {
    await server.kill();
    await rm(dataFolder, { recursive: true, force: true });
  };
  const replace = async (): Promise<void> => {
    const other = seats.find((each) => each !== seat) as Seat;
    await clear();
    const row = (await control(other, "member", "list")).split("\n").find((line) => line.includes(`, ${name}, `));
    await control(other, "member", "remove", row?.split(",")[0] ?? name);
    // the others first have to notice that all of them are there
    await untilResolved(() => control(other, "member", "add", name, `--peer-urls=${peerUrl}`), { timeoutMs: 30_000 });
    server = serverIn("existing");
    await server.start();
  };
  return {
    name,
    clientUrl,
    dataFolder,
    get pid() {
      return server.pid;
    },
    kill: (signal) => server.kill(signal),
    start: () => server.start(),
    signal: (signal) => server.signal(signal),
    empty: () => clear().then(() => void (server = serverIn("new"))),
    defragment: async () => void (await control(seat, "defrag", "--command-timeout=60s")),
    replace,
  };
}
