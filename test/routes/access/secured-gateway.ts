import type { OpenPage } from "../../../src/access/access.ts";
import { GuardedAccess } from "../../../src/access/guarded-access.ts";
import { KeyDirectory } from "../../../src/access/key-directory.ts";
import type { Scope } from "../../../src/access/scope.ts";
import { SqlKeyStore } from "../../../src/access/sql/sql-key-store.ts";
import { systemClock } from "../../../src/kit/clock.ts";
import type { OpenStore } from "../../../src/pipeline/store/open-store.ts";
import { administrationOf } from "../../../src/roles/open-access.ts";
import { unshownLog } from "../../../dev/unshown-log.ts";

/** The parts of a gateway that requires keys of its store, and a function that creates a key. */
export function securedParts({ client }: Pick<OpenStore, "client">, openPages: readonly OpenPage[] = []) {
  const directory = new KeyDirectory({
    bootstrapKey: undefined,
    file: undefined,
    store: new SqlKeyStore(client),
    maxAgeMs: 60_000,
    needsKeys: false,
    monotonicMs: () => performance.now(),
    clock: systemClock,
    log: unshownLog(),
  });
  const administration = administrationOf(client, { keys: directory });
  const create = async (...scopes: Scope[]) => {
    const { key, text } = await administration.keys.create({ name: scopes.join(), scopes, expiresAtMs: undefined });
    return { id: key.id, text, headers: { authorization: `Bearer ${text}` } };
  };
  return {
    parts: {
      access: new GuardedAccess(directory, administration.tickets, { openPages, signIn: undefined }),
      administration,
    },
    directory,
    create,
  };
}
