import { createLocalJWKSet, type JWK, type JWTVerifyGetKey } from "jose";

/** The algorithms of tokens that are accepted: a public key checks them, so who can check a token cannot make one.
 *  Source: https://www.rfc-editor.org/rfc/rfc8725#section-3.1 */
export const algorithms = [
  ...["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"],
];

/** A set of keys has fewer. */
const maxKeys = 100;

/** The public keys by which a provider's tokens are checked. */
export class SigningKeys {
  private keys: readonly JWK[] = [];
  private select: JWTVerifyGetKey | undefined;

  /** True once keys have been read. */
  get areKnown(): boolean {
    return this.select !== undefined;
  }

  /** Finds the key of a token by its `kid` and its algorithm. Of the header, nothing else counts: a key or an address of keys in it could be
   *  anyone's.
   *  @throws JWKSNoMatchingKey if there is no such key, JWKSMultipleMatchingKeys if the token does not say which of several it is */
  readonly keyOf: JWTVerifyGetKey = (header, token) => (this.select ?? noKeys)(header, token);

  /** Replaces the keys.
   *  @returns whether a former key is missing, so that tokens which it has signed are no longer valid
   *  @throws Error if the value is no set of keys, or has none that is usable */
  replace(value: unknown): boolean {
    const keys = publicKeysIn(value);
    const select = createLocalJWKSet({ keys });
    const texts = new Set(keys.map((key) => JSON.stringify(key)));
    const isMissing = this.keys.some((key) => !texts.has(JSON.stringify(key)));
    this.keys = keys;
    this.select = select;
    return isMissing;
  }
}

const noKeys = createLocalJWKSet({ keys: [] });

function publicKeysIn(value: unknown): JWK[] {
  const { keys } = (value ?? {}) as { readonly keys?: unknown };
  if (!Array.isArray(keys) || keys.length > maxKeys)
    throw new Error(`it is no JSON Web Key Set of at most ${maxKeys} keys`);
  const isPublic = (key: unknown): boolean => ["RSA", "EC", "OKP"].includes((key as JWK | null)?.kty ?? "");
  const usable = keys.filter(isPublic) as JWK[];
  if (usable.length === 0) throw new Error("it has no public key (RSA, EC or OKP)");
  // whatever else a set has by mistake, such as private parts
  return usable.map(({ kty, kid, alg, use, crv, n, e, x, y }) =>
    withoutAbsent({ kty, kid, alg, use, crv, n, e, x, y }),
  );
}

function withoutAbsent(key: Readonly<Record<string, unknown>>): JWK {
  return Object.fromEntries(Object.entries(key).filter(([, value]) => value !== undefined));
}
