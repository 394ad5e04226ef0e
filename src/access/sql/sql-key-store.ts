import type { SqlClient, SqlExecutor } from "../../db/client.ts";
import {
  insertKey,
  type KeyRow,
  selectKeys,
  selectValidKeys,
  updateExpiry,
  updateLastUsed,
  updateRevoked,
} from "../../db/sql/access-keys.ts";
import { StoreRejected } from "../../domain/errors.ts";
import { readGpuBounds } from "../../domain/gpu-bounds.ts";
import { type CheckedKey, type KeyStore, maxKeys, type StoredKey, type Successor } from "../key-store.ts";
import { isScope, selectorProblem } from "../scope.ts";

/** Keeps keys in SQL. */
export class SqlKeyStore implements KeyStore {
  constructor(private readonly client: SqlClient) {}

  async valid(): Promise<CheckedKey[]> {
    const keys = (await selectValidKeys(this.client)).map((row) => ({ ...grantOf(row), sha256: row.sha256 }));
    return keys.filter(({ scopes }) => scopes.length > 0);
  }

  async list(limit: number): Promise<StoredKey[]> {
    return (await selectKeys(this.client, limit)).map(storedKeyOf);
  }

  create(key: CheckedKey): Promise<StoredKey> {
    return this.client.transaction((executor) => insert(executor, key));
  }

  async revoke(id: string): Promise<StoredKey | undefined> {
    const row = await this.client.transaction((executor) => updateRevoked(executor, id));
    return row && storedKeyOf(row);
  }

  replace(id: string, { overlapSeconds, ...by }: Successor) {
    return this.client.transaction(async (executor) => {
      const row = await updateExpiry(executor, id, overlapSeconds);
      if (row === undefined) return undefined;
      const old = storedKeyOf(row);
      const { name, scopes, selector } = old;
      return {
        old,
        next: await insert(executor, { ...by, name, scopes, selector, expiresAtMs: row.wasExpiringAtMs ?? undefined }),
      };
    });
  }

  async used(uses: ReadonlyMap<string, number>): Promise<void> {
    await this.client.transaction((executor) => updateLastUsed(executor, uses));
  }
}

async function insert(executor: SqlExecutor, key: CheckedKey): Promise<StoredKey> {
  const given = { ...key, selector: key.selector ?? null, expiresAtMs: key.expiresAtMs ?? null };
  const row = await insertKey(executor, given, maxKeys);
  if (row !== undefined) return storedKeyOf(row);
  throw new StoreRejected(`there are ${maxKeys} keys that are not revoked: revoke those that are no longer used`);
}

/** A scope that only a newer program knows is left out. So is each scope of a key with a selector that only a newer program knows,
 *  and each that goes beyond a selector: such a key must not see everything. */
function grantOf({ id, name, scopes, expiresAtMs, selector: stored }: KeyRow) {
  const selector = stored === null ? undefined : readGpuBounds(stored);
  const grant = { id, name, scopes: scopes.filter(isScope), expiresAtMs: expiresAtMs ?? undefined };
  if (selector === undefined) return grant;
  if ("problem" in selector) return { ...grant, scopes: [] };
  return { ...grant, scopes: grant.scopes.filter((scope) => selectorProblem([scope]) === undefined), selector };
}

function storedKeyOf(row: KeyRow): StoredKey {
  return {
    ...grantOf(row),
    createdAtMs: row.createdAtMs,
    revokedAtMs: row.revokedAtMs ?? undefined,
    lastUsedAtMs: row.lastUsedAtMs ?? undefined,
  };
}
