import { answerOf } from "gpu-telemetry-client";
import type { Output } from "./output.ts";
import { showRows } from "./show-rows.ts";

/** Shows who the gateway takes the command for: the key, or the subject of a token. */
export async function whoAmI(output: Output): Promise<void> {
  const { data } = await answerOf(output.gateway.GET("/api/v1/me"));
  const row = output.asJson ? data : { ...data, scopes: data.scopes.join(",") };
  showRows([row], ["kind", "id", "name", "scopes", "selector", "expires_at"], output);
}

/** Shows the people who are signed in. */
export async function listSessions(output: Output, { limit }: { readonly limit?: number }): Promise<void> {
  const query = limit === undefined ? {} : { limit };
  const { data } = await answerOf(output.gateway.GET("/api/v1/sessions", { params: { query } }));
  const rows = data.map((session) => (output.asJson ? session : { ...session, groups: session.groups.join(", ") }));
  showRows(rows, ["id", "name", "subject", "groups", "created_at", "expires_at"], output);
}

/** Ends the session of a person. */
export async function endSession(output: Output, id: string): Promise<void> {
  const path = { session_id: id };
  const { data } = await answerOf(output.gateway.DELETE("/api/v1/sessions/{session_id}", { params: { path } }));
  showRows([data], ["id", "name", "subject"], output);
}
