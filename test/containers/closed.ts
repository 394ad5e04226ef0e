import { readFileSync } from "node:fs";
import type { Podman } from "./podman.ts";

/** What a container's first process may do, from the kernel. */
interface Rights {
  readonly uid: number;
  readonly capabilities: string;
  readonly noNewPrivileges: boolean;
  readonly residentMebibytes: number;
}

/** Reads what the kernel says about the first process of a container. */
export async function rightsOf(podman: Podman, container: string): Promise<Rights> {
  const pid = await podman.inspect(container, "{{.State.Pid}}");
  const text = readFileSync(`/proc/${pid}/status`, "utf8");
  const field = (name: string): string => new RegExp(`^${name}:\\s+(\\S+)`, "m").exec(text)?.[1] ?? "";
  return {
    uid: Number(field("Uid")),
    capabilities: field("CapEff"),
    noNewPrivileges: field("NoNewPrivs") === "1",
    residentMebibytes: Math.round(Number(field("VmRSS")) / 1024),
  };
}

/** @returns what is open although compose.yaml says that it is closed, a sentence each, for a container of the pipeline */
export async function openings(podman: Podman, container: string): Promise<string[]> {
  const { uid, capabilities, noNewPrivileges } = await rightsOf(podman, container);
  const written = await Promise.all(
    ["/app/x", "/x", "/etc/passwd", "/run/access/first-key"].map(async (path) => ({
      path,
      ...(await podman.attempt("exec", container, "sh", "-c", `echo >> ${path}`)),
    })),
  );
  return [
    ...(uid === 1000 ? [] : [`${container} runs as user ${uid}`]),
    ...(/^0+$/.test(capabilities) ? [] : [`${container} has rights of root: ${capabilities}`]),
    ...(noNewPrivileges ? [] : [`${container} may get new rights`]),
    ...written.flatMap(({ path, code }) => (code === 0 ? [`${container} can write ${path}`] : [])),
  ];
}
