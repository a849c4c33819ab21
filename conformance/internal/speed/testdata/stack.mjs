// Ten middlewares of Middy around a small handler, in a loop over Lambda's Runtime
// API: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
import http from 'node:http'
import middy from '@middy/core'
import contentEncoding from '@middy/http-content-encoding'
import contentNegotiation from '@middy/http-content-negotiation'
import cors from '@middy/http-cors'
import errorHandler from '@middy/http-error-handler'
import headerNormalizer from '@middy/http-header-normalizer'
import jsonBodyParser from '@middy/http-json-body-parser'
import partialResponse from '@middy/http-partial-response'
import responseSerializer from '@middy/http-response-serializer'
import securityHeaders from '@middy/http-security-headers'
import urlencodePathParser from '@middy/http-urlencode-path-parser'

const items = Array.from({ length: 40 }, () => ({ sku: 'ABC-123', count: 2, price: 13.5, note: 'blue' }))

const handler = middy(async (event) => ({
  statusCode: 200,
  body: { id: event.pathParameters.id, name: event.body.name, items }
}))
  .use(cors({ origins: ['https://shop.example.com'] }))
  .use(securityHeaders())
  .use(contentEncoding())
  .use(responseSerializer({
    serializers: [{ regex: /^application\/json$/, serializer: ({ body }) => JSON.stringify(body) }],
    defaultContentType: 'application/json'
  }))
  .use(partialResponse())
  .use(headerNormalizer())
  .use(contentNegotiation())
  .use(jsonBodyParser())
  .use(urlencodePathParser())
  .use(errorHandler())

if (process.env.TURNS) { // the layers alone, without Lambda around them
  const turns = Number(process.env.TURNS)
  const run = async (n) => {
    const begin = process.hrtime.bigint()
    for (let i = 0; i < n; i++) {
      JSON.stringify(await handler(JSON.parse(process.env.EVENT), { getRemainingTimeInMillis: () => 3000 }))
    }
    return process.hrtime.bigint() - begin
  }
  await run(turns / 4) // warm
  console.log(String(await run(turns) / BigInt(turns)))
  process.exit(0)
}

const runtime = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime`
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })

const request = (method, path, body) => new Promise((resolve, reject) => {
  const headers = body === undefined ? {} : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) }
  const req = http.request(runtime + path, { method, agent, headers }, (res) => {
    const chunks = []
    res.on('data', (chunk) => chunks.push(chunk))
    res.on('end', () => resolve({ headers: res.headers, body: Buffer.concat(chunks).toString() }))
  })
  req.on('error', reject)
  req.end(body)
})

for (;;) {
  const next = await request('GET', '/invocation/next')
  const id = next.headers['lambda-runtime-aws-request-id']
  const deadline = Number(next.headers['lambda-runtime-deadline-ms'])
  const context = { awsRequestId: id, getRemainingTimeInMillis: () => deadline - Date.now() }
  try {
    const result = await handler(JSON.parse(next.body), context)
    await request('POST', `/invocation/${id}/response`, JSON.stringify(result))
  } catch (e) {
    await request('POST', `/invocation/${id}/error`, JSON.stringify({ errorType: e.name, errorMessage: e.message }))
  }
}
