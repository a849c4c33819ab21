// Runs conformance cases on Middy from npm: JSON lines on standard input, one
// {"id","got"} per line on standard output. What a case means is said in
// conformance/doc.go; conformance/internal/node installs the packages and starts
// this file beside them.
//
// Nothing here judges. It builds what the case describes, calls it, and writes
// down what came out.
import { createInterface } from "node:readline";
import zlib from "node:zlib";
import { createHash } from "node:crypto";

const load = async (name) => {
  try {
    return await import(name);
  } catch (e) {
    if (e.code === "ERR_MODULE_NOT_FOUND") throw new Missing(name);
    throw e;
  }
};
class Missing extends Error {}

// ---- values that JSON lacks -------------------------------------------------

const b64 = (s) => Buffer.from(s).toString("base64");
const z = {
  br: [zlib.brotliCompressSync, zlib.brotliDecompressSync],
  gzip: [zlib.gzipSync, zlib.gunzipSync],
  deflate: [zlib.deflateSync, zlib.inflateSync],
  zstd: [zlib.zstdCompressSync, zlib.zstdDecompressSync],
};
// Functions that options may name, by what they do.
const functions = {
  upperStrings: () => (_key, value) => (typeof value === "string" ? value.toUpperCase() : value),
  dropNulls: () => (_key, value) => (value === null ? undefined : value),
  reflectOrigin: () => (origin) => origin,
  noOrigin: () => () => null,
  xml: () => ({ body }) => `<message>${body}</message>`,
  json: () => ({ body }) => JSON.stringify({ message: body }),
  plain: () => ({ body }) => body,
  any: () => ({ body }) => `serialized:${body}`,
  true: () => () => true,
  false: () => () => false,
  notFound: () => (route) => ({ statusCode: 404, headers: { "Content-Type": "application/json" }, body: JSON.stringify(route) }),
};
const special = {
  $undef: () => undefined,
  $bytes: (v) => Buffer.from(v, "base64"),
  $repeat: ([s, n]) => s.repeat(n),
  $concat: (list) => list.map(decode).join(""),
  $b64: (v) => b64(decode(v)),
  $json: (v) => JSON.stringify(decode(v)),
  $b64json: (v) => b64(JSON.stringify(decode(v))),
  $function: (v) => functions[v](),
  $regexp: (v) => new RegExp(v),
};
function decode(v) {
  if (Array.isArray(v)) return v.map(decode);
  if (v === null || typeof v !== "object") return v;
  const keys = Object.keys(v);
  if (keys.length === 1 && Object.hasOwn(special, keys[0])) return special[keys[0]](v[keys[0]]);
  const out = {};
  for (const k of keys) Object.defineProperty(out, k, { value: decode(v[k]), enumerable: true, writable: true, configurable: true });
  return out;
}
// A long string is written as its digest and its length in bytes.
const digest = (s) => {
  const n = Buffer.byteLength(s);
  return n > 1000 ? { $digest: [createHash("sha256").update(s).digest("hex"), n] } : s;
};
function encode(v) {
  if (typeof v === "string") return digest(v);
  if (v === undefined) return { $undef: 1 };
  if (typeof v === "bigint") return String(v);
  if (typeof v === "function") return { $function: "" };
  if (v instanceof Uint8Array) return { $bytes: Buffer.from(v).toString("base64") };
  if (Array.isArray(v)) return v.map(encode);
  if (v === null || typeof v !== "object") return v;
  const out = {};
  for (const k of Object.keys(v)) {
    if (v[k] === undefined) continue;
    Object.defineProperty(out, k, { value: encode(v[k]), enumerable: true, writable: true, configurable: true });
  }
  return out;
}

// A compressed body is written as [coding, plain text]: encoders differ in bytes.
function encodeResponse(r) {
  const out = encode(r);
  if (r === null || typeof r !== "object" || !r.headers) return out;
  for (const k of Object.keys(r.headers)) if (typeof r.headers[k] === "string") out.headers[k] = r.headers[k];
  const coding = r.headers["Content-Encoding"] ?? r.headers["content-encoding"];
  if (r.isBase64Encoded && z[coding] && typeof r.body === "string") {
    try {
      const plain = z[coding][1](Buffer.from(r.body, "base64"));
      const text = plain.toString("utf8");
      out.body = { $z: [coding, Buffer.from(text).equals(plain) ? digest(text) : encode(plain)] };
    } catch {} // it was not compressed by us
  }
  return out;
}

const thrown = (t, createError) => {
  if ("value" in t) return decode(t.value);
  let e;
  if (t.http) {
    const [code, message, props] = t.http.map(decode);
    e = createError(code, message, props);
  } else e = new Error(decode(t.message ?? ""));
  for (const k of ["statusCode", "expose", "headers", "name"]) if (k in t) e[k] = decode(t[k]);
  for (const k of ["errorReason", "invalidReason", "transaction"]) if (k in t) e[k] = decode(t[k]);
  return e;
};

const encodeError = (e, at) => {
  if (e === null || typeof e !== "object") return { raw: encode(e), ...(at && { at }) };
  const status = e.statusCode ?? null;
  // What the engine says of its own mistakes changes with its version.
  const out = { status, message: e instanceof TypeError && !e.cause ? "TypeError" : e.message };
  if (at) out.at = at;
  return out;
};

// ---- one case ---------------------------------------------------------------

async function run(c) {
  const util = await load("@middy/util");
  if (c.call) return call(util, c.call);
  const { default: middy } = await load("@middy/core");
  const log = [];
  const sends = [];
  const facilitated = [0, 0];
  let ran = 0;
  let saw;

  const scripted = (h = {}) => (event, context) => {
    ran++;
    if (h.log !== undefined) log.push(h.log);
    if (h.tag !== undefined) saw = { tag: h.tag };
    for (const facet of [h.echo ?? []].flat()) {
      saw ??= {};
      saw[facet] = facet === "event" ? encode(event) : facet === "context" ? encode(context) : encode(event?.[facet]);
    }
    if (h.throw) throw thrown(h.throw, util.createError);
    return "return" in h ? decode(h.return) : "ok";
  };

  const script = (o) => {
    const hooks = {};
    for (const phase of ["before", "after", "onError"]) {
      if (!o[phase]) continue;
      hooks[phase] = (request) => {
        let out;
        for (const step of o[phase]) {
          if ("log" in step) log.push(step.log);
          if ("logError" in step) log.push(`${step.logError}${request.error?.message ?? request.error}`);
          if ("context" in step) Object.assign(request.context, decode(step.context));
          if ("event" in step) Object.assign(request.event, decode(step.event));
          if ("respond" in step) request.response = decode(step.respond);
          if ("append" in step) request.response = `${request.response}${step.append}`;
          if ("throw" in step) throw thrown(step.throw, util.createError);
          if ("return" in step) out = decode(step.return);
        }
        return out;
      };
    }
    return hooks;
  };

  const prepare = async (name, o) => {
    if (name === "http-error-handler" && o.logger === undefined) o.logger = (e) => log.push(String(e?.message ?? e));
    if (name === "validator") {
      const { transpileSchema } = await load("@middy/validator/transpile");
      for (const k of ["eventSchema", "contextSchema", "responseSchema"]) if (o[k]) o[k] = transpileSchema(o[k]);
    }
    if (name === "http-x402" && o.facilitator) {
      const fac = o.facilitator;
      delete o.facilitator;
      const answer = (i, a) => () => {
        facilitated[i]++;
        if (a?.$throw) throw thrown(a.$throw, util.createError);
        return a;
      };
      o.FacilitatorClient = class {
        verify = async () => answer(0, fac.verify)();
        settle = async () => answer(1, fac.settle)();
      };
    }
    if (name === "ws-response") {
      o.AwsClient = class {
        constructor(options) { this.endpoint = options?.endpoint; }
        async send(command) {
          sends.push([this.endpoint ?? null, encode(command.input)]);
          if (o.failure) throw Object.assign(new Error(o.failure), { name: o.failure, statusCode: o.failure === "GoneException" ? 410 : undefined });
          return {};
        }
      };
    }
    if (name === "http-jwt" && c.jwks) o.disablePrefetch ??= true;
    return o;
  };

  const restore = globalThis.fetch;
  if (c.jwks) {
    globalThis.fetch = async (url) => {
      const doc = c.jwks[String(url)];
      if (typeof doc === "number") return new Response("no", { status: doc });
      return new Response(JSON.stringify(doc), { status: 200, headers: { "content-type": "application/json" } });
    };
  }
  try {
    let base = scripted(c.handler);
    let f;
    try {
      const uses = [];
      for (const { name, options } of c.use ?? []) {
        const o = await prepare(name, decode(options ?? {}));
        if (name === "script") uses.push(script(options));
        else if (name === "recover") uses.push({ onError: (r) => { r.response = decode(options.response); } });
        else if (name === "http-router" || name === "ws-router") {
          const { default: router } = await load(`@middy/${name}`);
          base = router({ ...o, routes: options.routes.map((r) => ({ ...r, handler: scripted(r.handler) })) });
        } else {
          const { default: factory } = await load(`@middy/${name}`);
          uses.push(factory(o));
        }
      }
      f = middy(base, { internal: decode(c.internal ?? {}), timeoutEarlyInMillis: 0 });
      for (const u of uses) f.use(u);
    } catch (e) {
      if (e instanceof Missing) throw e;
      return { error: encodeError(e, "construction") };
    }
    const one = async (step) => {
      ran = 0;
      saw = undefined;
      log.length = 0;
      facilitated.fill(0);
      const got = {};
      const event = decode(step.event === undefined ? {} : step.event);
      const context = decode(step.context ?? c.context ?? {});
      try {
        const r = await f(event, context);
        if (!(saw && c.handler?.return === undefined && r === "ok")) got.response = encodeResponse(r);
      } catch (e) {
        got.error = encodeError(e);
      }
      if (saw) got.saw = saw;
      if (ran === 0 && !got.error) got.skipped = true;
      if (log.length) got.log = [...log];
      if (facilitated[0] + facilitated[1]) got.calls = [...facilitated];
      return got;
    };
    if (!c.steps) {
      const got = await one(c);
      if (sends.length) got.sends = sends;
      return got;
    }
    const all = { steps: [] };
    for (const s of c.steps) all.steps.push(await one(s));
    if (sends.length) all.sends = sends;
    return all;
  } finally {
    globalThis.fetch = restore;
  }
}

function call(util, { function: name, args }) {
  try {
    const values = args.map(decode);
    if (name === "createError") {
      const e = util.createError(...values);
      return { value: { status: e.statusCode, message: e.message } };
    }
    return { value: encode(util[name](...values)) };
  } catch (e) {
    return { error: encodeError(e) };
  }
}

console.log = console.info = console.warn = console.error; // standard output is ours
console.error = () => {};
// An exception outside any promise ends the process in Lambda.
const crash = (message) => {
  write({ id: current.id, got: { crash: message } });
  current.next();
  current = undefined;
};
process.on("uncaughtException", (e) => {
  if (current) crash(String(e.message));
});
const patience = 2000; // milliseconds until a promise counts as lost
let current;
const write = (o) => process.stdout.write(`${JSON.stringify(o)}\n`);
for await (const line of createInterface({ input: process.stdin })) {
  if (!line.trim()) continue;
  const c = JSON.parse(line);
  await new Promise((next) => {
    const lost = setTimeout(() => { if (current?.id === c.id) crash("the promise does not settle"); }, patience);
    current = { id: c.id, next: () => { clearTimeout(lost); next(); } };
    const done = (result) => {
      if (current?.id !== c.id) return;
      write({ id: c.id, ...result });
      current.next();
      current = undefined;
    };
    run(c).then((got) => done({ got }), (e) => done(e instanceof Missing ? { missing: e.message } : { got: { runner: String(e.stack) } }));
  });
}
process.stdout.write("", () => process.exit(0)); // a timer that Middy left behind must not keep us
