/** @returns the first of Docker and Podman that is installed and answers; undefined if neither does */
export function containerEngine(): "docker" | "podman" | undefined {
  return (["docker", "podman"] as const).find(
    (engine) =>
      Bun.which(engine) !== null &&
      Bun.spawnSync([engine, "info"], { stdio: ["ignore", "ignore", "ignore"], timeout: 10_000 }).success,
  );
}

/** What a command says that needs one.
 *  @param command such as `docker-build-nexus` */
export function engineMissing(command: string): string {
  const client = ["docker", "podman"].find((engine) => Bun.which(engine) !== null);
  const found = client === undefined ? "neither is installed here" : `${client} is installed, but does not answer here`;
  return `${command} needs Docker or Podman, and ${found}; without containers, make scale-local runs the pipeline on this machine`;
}
