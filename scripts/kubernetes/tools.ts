/** The programs that the commands need, each with the page that says how to install it. */
const pages = {
  kubectl: "https://kubernetes.io/docs/tasks/tools/",
  helm: "https://helm.sh/docs/intro/install/",
} as const;

type Tool = keyof typeof pages;

/** Checks that the programs are installed, and that they know a cluster. Without one they would ask localhost:8080, where a gateway of this
 *  program may answer.
 *  @throws Error with a sentence for people, which names all that are missing */
export function requireTools(...tools: readonly Tool[]): void {
  const missing = tools.filter((tool) => Bun.which(tool) === null);
  if (missing.length === 0) return requireCluster();
  const verb = missing.length === 1 ? "is" : "are";
  throw new Error(
    `${missing.join(" and ")} ${verb} not installed, or not in PATH: ${missing.map((tool) => pages[tool]).join(" and ")} ${missing.length === 1 ? "says" : "say"} how`,
  );
}

/** In a pod, kubectl and helm use the pod's own cluster. */
function requireCluster(): void {
  if (process.env.KUBERNETES_SERVICE_HOST || outputOf(["kubectl", "config", "current-context"]) !== undefined) return;
  throw new Error(
    "kubectl has no cluster: name the file of its configuration in KUBECONFIG, or choose a context of `kubectl config get-contexts` with `kubectl config use-context NAME`",
  );
}

/** Runs a program in this terminal.
 *  @param input what it reads; by default the terminal
 *  @returns its exit code */
export async function runTool(command: readonly string[], input?: Blob): Promise<number> {
  const child = Bun.spawn([...command], { stdio: [input ?? "inherit", "inherit", "inherit"] });
  // at Ctrl-C, the terminal sends the signal to the program too
  const ignore = (): void => undefined;
  process.on("SIGINT", ignore);
  try {
    return await child.exited;
  } finally {
    process.off("SIGINT", ignore);
  }
}

/** Runs a program that must succeed. It has said itself why it did not.
 *  @throws Error with the program's name */
export async function mustRun(command: readonly string[], input?: Blob): Promise<void> {
  const code = await runTool(command, input);
  if (code !== 0) throw new Error(`${command.slice(0, 2).join(" ")} ended with the code ${code}`);
}

/** The standard output of a program; undefined if it fails. */
export function outputOf(command: readonly string[]): string | undefined {
  const { exitCode, stdout } = Bun.spawnSync([...command], { stderr: "ignore" });
  return exitCode === 0 ? stdout.toString() : undefined;
}
