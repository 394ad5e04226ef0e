/** Swagger UI's page. Its links are relative to the page. */
export const swaggerPage = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>GPU telemetry pipeline: API</title>
    <link rel="stylesheet" href="./swagger-ui.css">
    <link rel="icon" type="image/png" href="./favicon-32x32.png" sizes="32x32">
  </head>
  <body>
    <div id="swagger-ui"></div>
    <script src="./swagger-ui-bundle.js" charset="utf-8"></script>
    <script src="./swagger-initializer.js" charset="utf-8"></script>
  </body>
</html>
`;

/** Starts Swagger UI. Without `validatorUrl: null`, Swagger UI would send the document's URL to a public validator. */
export const swaggerInitializer = `window.onload = () => {
  window.ui = SwaggerUIBundle({
    url: "./swagger.json",
    dom_id: "#swagger-ui",
    deepLinking: true,
    presets: [SwaggerUIBundle.presets.apis],
    layout: "BaseLayout",
    validatorUrl: null,
  });
};
`;
