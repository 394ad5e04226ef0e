import { parseArgs } from "node:util";
import { answersHelp } from "../../src/terminal/answers-help.ts";
import { print, printError } from "../../src/terminal/print.ts";
import { Podman, reasonAgainstContainers } from "./podman.ts";
import { tryCompose } from "./try-compose.ts";
import { tryThreeMembers } from "./try-three-members.ts";
import { prepareImages } from "./prepare-images.ts";

const usage = `Builds the images, starts the services of compose.yaml in containers of Podman, and prints what was seen.
  bun run test:containers [--samples 400000]
A CSV file of so many samples is streamed; every container is killed in turn, and then the store is compared with the file. Then etcd
with three members, and simulated exporters. Without Podman, or if base images cannot be made, says so and exits with 0.`;

if (answersHelp(process.argv.slice(2), usage)) process.exit(0);
const { values } = parseArgs({ options: { samples: { type: "string", default: "400000" } } });
const reason = reasonAgainstContainers();
if (reason !== undefined) {
  print(`skipped: ${reason}`);
  process.exit(0);
}
try {
  const podman = new Podman();
  // containers are started again when they end, so they would outlive this process
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => void podman.removeContainers().finally(() => process.exit(130)));
  }
  await prepareImages(podman);
  await tryCompose(podman, { samples: Number(values.samples) });
  await tryThreeMembers(podman);
  print("the containers do what compose.yaml says");
  process.exit(0);
} catch (error) {
  printError((error as Error).message);
  process.exit(1);
}
