import { readFileSync } from "node:fs";
import type { ControlPlane } from "../../dev/servers/kubernetes/control-plane.ts";

/** Calls the API of a control plane with all rights. */
export class Administrator {
  readonly ca: string;

  constructor(readonly plane: ControlPlane) {
    this.ca = readFileSync(plane.caFile, "utf8");
  }

  /** A PATCH is a merge patch.
   *  @returns the answer @throws Error with the answer if it is none of success */
  async call(method: string, path: string, body?: unknown): Promise<unknown> {
    const type = method === "PATCH" ? "application/merge-patch+json" : "application/json";
    const response = await fetch(this.plane.url + path, {
      method,
      headers: { authorization: `Bearer ${this.plane.token}`, "content-type": type },
      body: body === undefined ? null : JSON.stringify(body),
      tls: { ca: this.ca },
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${text}`);
    return JSON.parse(text) as unknown;
  }

  /** The objects of a list. */
  async list<T>(path: string): Promise<readonly T[]> {
    return ((await this.call("GET", path)) as { readonly items: readonly T[] }).items;
  }
}
