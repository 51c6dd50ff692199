// Parses the AsyncAPI document of the file named first; prints what it finds as JSON.
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const { document, diagnostics } = await new Parser().parse(readFileSync(process.argv[2], "utf8"));
const worse = diagnostics.filter(({ severity }) => severity < 2); // 0: error, 1: warning
console.log(
  JSON.stringify({
    problems: worse.map(({ code, message, path }) => `${code} at ${path.join(".")}: ${message}`),
    channels: document?.channels().all().map((channel) => channel.address()) ?? [],
    messages: document?.messages().all().map((message) => message.name()) ?? [],
  }),
);
