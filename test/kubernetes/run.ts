import { join } from "node:path";
import { kubernetesPrograms } from "../../dev/servers/kubernetes/kubernetes-programs.ts";
import { answersHelp } from "../../src/terminal/answers-help.ts";

const usage = `Tests the coordinator, the discovery of pods and the Helm chart on a real Kubernetes control plane.
  bun run test:kubernetes [options of 'bun test', such as --test-name-pattern]
The first call builds kube-apiserver, kube-controller-manager and kube-scheduler, which takes half an hour of a processor.
Needs Go, and root on Debian for etcd; without them, it says so and tests nothing.`;

const args = process.argv.slice(2);
if (answersHelp(args, usage)) process.exit(0);
const reason = kubernetesPrograms.reasonAgainst();
if (reason !== undefined) {
  process.stdout.write(`skipped: ${reason}\n`);
  process.exit(0);
}
await kubernetesPrograms.build();
const tests = Bun.spawn(
  [
    process.execPath,
    "test",
    "--timeout",
    "120000",
    ...args,
    "./test/kubernetes/control-plane.test.ts",
    "./test/kubernetes/chart.test.ts",
  ],
  {
    cwd: join(import.meta.dir, "../.."),
    env: { ...process.env, TEST_KUBERNETES: "1" },
    stdio: ["inherit", "inherit", "inherit"],
  },
);
process.exit(await tests.exited);
