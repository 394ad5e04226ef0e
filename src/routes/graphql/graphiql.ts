/** GraphiQL, with everything it needs in the page. It is 9 MB of source: read when somebody asks for it. */
export async function renderGraphiql(): Promise<string> {
  const { renderGraphiQL } = await import("@graphql-yoga/render-graphiql");
  return renderGraphiQL({ title: "GPU telemetry pipeline: GraphQL", subscriptionsProtocol: "WS" });
}
