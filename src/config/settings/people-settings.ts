import { Type } from "@sinclair/typebox";
import { duration, path } from "../config-setting.ts";

const text = (env: string, description: string) => Type.Optional(Type.String({ env, minLength: 1, description }));

/** The settings of how people sign in, and of tokens. */
export const peopleSettings = {
  authOidcIssuer: Type.Optional(
    Type.String({
      env: "AUTH_OIDC_ISSUER",
      pattern: "^https?://[^\\s?#]+$",
      expects: "a URL with http:// or https:// and without ? and #, such as https://id.example.org/realms/ops",
      description: "URL of the OpenID provider, as its tokens have it in iss; http only for one on this machine",
    }),
  ),
  authOidcClientId: text("AUTH_OIDC_CLIENT_ID", "As which client people sign in; without it, they cannot"),
  authOidcClientSecret: Type.Optional(
    Type.String({
      env: "AUTH_OIDC_CLIENT_SECRET",
      minLength: 1,
      secret: true,
      description: "The client's secret; without it, the client is a public one",
    }),
  ),
  authOidcScopes: Type.Array(Type.String({ pattern: "^[!#-\\[\\]-~]+$" }), {
    env: "AUTH_OIDC_SCOPES",
    form: "list",
    elements: "scopes",
    default: ["openid", "profile", "email"],
    description: "What the provider is asked for when people sign in; some need one for groups",
  }),
  authOidcAudience: text(
    "AUTH_OIDC_AUDIENCE",
    "Tokens (JWT) of the provider with this aud are accepted as Authorization: Bearer; without it, none are",
  ),
  authOidcGroupsClaim: Type.String({
    env: "AUTH_OIDC_GROUPS_CLAIM",
    minLength: 1,
    default: "groups",
    description:
      "The claim that has a person's groups; a path with dots, such as realm_access.roles, leads into claims",
  }),
  authOidcJwksFile: path(
    "AUTH_OIDC_JWKS_FILE",
    "File with the provider's public keys (JSON Web Key Set), if the provider cannot be asked for them",
  ),
  authOidcCaFile: path(
    "AUTH_OIDC_CA_FILE",
    "Certificates (PEM) that are trusted for the provider, instead of the machine's",
  ),
  authMappingFile: path(
    "AUTH_MAPPING_FILE",
    "File that says what groups, subjects and client certificates may do; read again when it changes",
  ),
  authPublicUrl: Type.Optional(
    Type.String({
      env: "AUTH_PUBLIC_URL",
      pattern: "^https?://[A-Za-z0-9._-]+(:[0-9]{1,5})?$",
      expects: "http:// or https:// and a host, without a path or a slash at the end, such as https://gpus.example.org",
      description:
        "Where browsers reach the gateways, such as https://gpus.example.org; people sign in there (default: localhost, with PORT)",
    }),
  ),
  authSessionMaxAgeMs: duration({
    env: "AUTH_SESSION_MAX_AGE",
    default: 43_200_000,
    minimum: 60_000,
    description: "How long a person stays signed in",
  }),
};
