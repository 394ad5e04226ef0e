import { parseArgs } from "node:util";
import { startEtcd } from "../dev/servers/etcd.ts";
import { provideDatabase } from "../dev/servers/provide-database.ts";
import { provideEtcd } from "../dev/servers/provide-etcd.ts";
import { stopSignal } from "../src/kit/stop-signals.ts";
import { answersHelp } from "../src/terminal/answers-help.ts";
import { print, printError } from "../src/terminal/print.ts";

const usage = `Starts etcd and TimescaleDB for development; at Ctrl-C, stops them and deletes their data.
  bun run services [--etcd-members 3]
Needs Docker or Podman with compose, or root on Debian. Three members always need root on Debian.
`;

interface Service {
  stop(): Promise<void>;
}

/** Starts etcd and the database. If one of them cannot be started, stops the other one and throws the error. */
async function startBoth(etcdMembers: 1 | 3) {
  // without ETCD_ENDPOINTS and DATABASE_URL, so that new servers are started
  const [etcd, database] = await Promise.allSettled([
    etcdMembers === 1 ? provideEtcd({}) : startEtcd({ members: etcdMembers }),
    provideDatabase({}),
  ]);
  if (etcd.status === "fulfilled" && database.status === "fulfilled") {
    return { etcd: etcd.value, database: database.value };
  }
  const started: PromiseSettledResult<Service>[] = [etcd, database];
  for (const service of started) if (service.status === "fulfilled") await service.value.stop();
  throw (etcd.status === "rejected" ? etcd : (database as PromiseRejectedResult)).reason;
}

function membersFrom(text: string): 1 | 3 {
  if (text === "1" || text === "3") return Number(text) as 1 | 3;
  throw new TypeError(`--etcd-members ${text} is not usable: expected 1 or 3`);
}

async function services(): Promise<void> {
  if (answersHelp(process.argv.slice(2), usage)) return;
  const { values } = parseArgs({ options: { "etcd-members": { type: "string", default: "1" } } });
  const etcdMembers = membersFrom(values["etcd-members"]);
  const stopRequested = stopSignal();
  const { etcd, database } = await startBoth(etcdMembers);
  const settings = [`ETCD_ENDPOINTS=${etcd.endpoints.join(",")}`, `DATABASE_URL=${database.url}`];
  print(
    `${settings.join("\n")}\n\n${settings.join(" ")} MIGRATE_ON_START=true bun run start\n\nCtrl-C stops the servers.`,
  );
  await stopRequested;
  await Promise.all([etcd.stop(), database.stop()]);
}

try {
  await services();
  process.exit(0);
} catch (error) {
  printError((error as Error).message);
  process.exit(1);
}
