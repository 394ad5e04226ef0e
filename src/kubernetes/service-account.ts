import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../kit/message-of.ts";
import { systemClock } from "../kit/clock.ts";
import { within } from "../kit/within.ts";
import { KubernetesUnavailable } from "../domain/errors.ts";

/** A file system that does not answer must not hold up calls. */
const readMaxMs = 1000;

/** The files of a pod's service account, as Kubernetes mounts them: `token`, `ca.crt` and `namespace`. Each is read again when it is
 *  needed: Kubernetes replaces the token before it expires, and the CA when it is renewed. */
export class ServiceAccount {
  /** @param dir the folder of the files (KUBERNETES_SERVICE_ACCOUNT_DIR) */
  constructor(private readonly dir: string) {}

  token(): Promise<string> {
    return this.read("token");
  }

  /** The certificates of the API server's authority, as PEM. */
  ca(): Promise<string> {
    return this.read("ca.crt");
  }

  namespace(): Promise<string> {
    return this.read("namespace");
  }

  /** @throws KubernetesUnavailable that names the file and the setting */
  private async read(name: string): Promise<string> {
    const path = join(this.dir, name);
    try {
      const text = await within(systemClock, readMaxMs, ({ signal }) => readFile(path, { encoding: "utf8", signal }));
      if (text.trim() === "") throw new Error("it is empty");
      return text.trim();
    } catch (cause) {
      const problem = `${path} cannot be read (KUBERNETES_SERVICE_ACCOUNT_DIR): ${messageOf(cause)}`;
      throw new KubernetesUnavailable(problem, { cause });
    }
  }
}
