import { createServer, type Server } from "node:http";
import { exportJWK, generateKeyPair, type JWK, type JWTHeaderParameters, type JWTPayload, SignJWT } from "jose";
import { type Configuration, Provider } from "oidc-provider";
import { freePorts } from "../../dev/servers/free-ports.ts";

/** What the provider says of its people, by subject; a test may change it. */
export interface ProviderPeople {
  [subject: string]: Readonly<Record<string, unknown>>;
}

export interface TestProviderOptions {
  /** Where gateways let it lead browsers back to. */
  readonly gateways: readonly string[];
  readonly people: ProviderPeople;
  /** Settings of oidc-provider that replace those of the test. */
  readonly more?: Configuration;
}

/** The client as which the gateways of tests sign people in. */
export const testClient = { id: "gateway", secret: "s".repeat(40) };

/** A real OpenID provider, on a port of 127.0.0.1, whose people sign in with any password. */
export class TestProvider {
  private server: Server | undefined;
  private key: { readonly jwk: JWK; readonly privateKey: CryptoKey } | undefined;
  private rotations = 0;

  private constructor(
    readonly port: number,
    private readonly options: TestProviderOptions,
  ) {}

  static async start(options: TestProviderOptions): Promise<TestProvider> {
    const [port = 0] = await freePorts(1);
    const provider = new TestProvider(port, options);
    await provider.rotateKeys();
    return provider;
  }

  get issuer(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** The id of the present key. */
  get keyId(): string {
    return `key-${this.rotations}`;
  }

  /** Restarts the provider with another key. */
  async rotateKeys(): Promise<void> {
    await this.stop();
    this.rotations += 1;
    const { privateKey } = await generateKeyPair("RS256", { extractable: true });
    const jwk = { ...(await exportJWK(privateKey)), kid: this.keyId, alg: "RS256", use: "sig" };
    this.key = { jwk, privateKey };
    await this.restart();
  }

  /** Starts the provider again, with the key that it had. It has forgotten who was signed in. */
  async restart(): Promise<void> {
    const provider = new Provider(this.issuer, this.configuration());
    const server = createServer((request, response) => void provider.callback()(request, response));
    this.server = server;
    await new Promise<void>((resolve) => server.listen(this.port, "127.0.0.1", resolve));
  }

  async stop(): Promise<void> {
    const { server } = this;
    this.server = undefined;
    if (server === undefined) return;
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  /** A token that the provider has signed, for an audience `api`.
   *  @param claims that replace those of a usable token; null leaves one out */
  sign(claims: Readonly<Record<string, unknown>> = {}, header: Partial<JWTHeaderParameters> = {}): Promise<string> {
    const nowSeconds = Math.floor(Date.now() / 1000);
    const times = { iat: nowSeconds, exp: nowSeconds + 300 };
    const all = { iss: this.issuer, aud: "api", sub: "alice", groups: ["readers"], ...times, ...claims };
    const payload = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null)) as JWTPayload;
    const signer = new SignJWT(payload).setProtectedHeader({ alg: "RS256", kid: this.keyId, ...header });
    return signer.sign((this.key as { readonly privateKey: CryptoKey }).privateKey);
  }

  private configuration(): Configuration {
    const { gateways, people, more } = this.options;
    return {
      clients: [
        {
          client_id: testClient.id,
          client_secret: testClient.secret,
          redirect_uris: gateways.map((url) => `${url}/sign-in/callback`),
          post_logout_redirect_uris: gateways.map((url) => `${url}/sign-in`),
        },
      ],
      jwks: { keys: [(this.key as { readonly jwk: JWK }).jwk] },
      cookies: { keys: ["cookie-key"] },
      claims: { openid: ["sub"], profile: ["groups", "preferred_username"] },
      conformIdTokenClaims: false,
      findAccount: (_, id) => ({ accountId: id, claims: () => Promise.resolve({ sub: id, ...people[id] }) }),
      features: { devInteractions: { enabled: true }, rpInitiatedLogout: { enabled: true } },
      pkce: { required: () => true },
      ttl: { Interaction: 60, Session: 600, Grant: 600, AccessToken: 60, IdToken: 60 },
      ...more,
    };
  }
}
