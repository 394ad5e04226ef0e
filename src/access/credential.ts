/** A client certificate that an authority of AUTH_CLIENT_CA_FILE has signed. */
export interface ShownCertificate {
  /** `CN=grafana` of the subject, `dns:...`, `uri:...` and `email:...` of the alternative names. */
  readonly names: readonly string[];
  /** For people. */
  readonly subject: string;
  readonly validToMs: number;
}

/** What a request has to say who sends it. */
export type CredentialText =
  /** The key or the token of its Authorization header. */
  | { readonly kind: "bearer"; readonly text: string }
  /** The ticket in the URL of a WebSocket. */
  | { readonly kind: "ticket"; readonly text: string }
  /** The cookie of a person who has signed in. */
  | { readonly kind: "session"; readonly text: string };

/** What a request or its connection shows to say who sends it. */
export type Credential = CredentialText | { readonly kind: "certificate"; readonly certificate: ShownCertificate };
