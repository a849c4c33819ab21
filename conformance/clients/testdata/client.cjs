// One call of the AWS SDK for JavaScript: node client.cjs GetSecretValue '{"SecretId":"a"}'
//
// The answer goes to standard output as JSON; a failure to standard error, as
// Node prints it, with exit status 1.
const { SecretsManagerClient, ...sdk } = require("@aws-sdk/client-secrets-manager");

const [operation, input] = process.argv.slice(2);

// Bytes are base64 on both sides, as in the AWS CLI.
const receive = (key, value) => (key === "SecretBinary" ? Buffer.from(value, "base64") : value);
const send = (key, value) => {
  if (key === "SecretBinary") return Buffer.from(Object.values(value)).toString("base64");
  return key === "$metadata" ? undefined : value;
};

const client = new SecretsManagerClient({});
client
  .send(new sdk[operation + "Command"](JSON.parse(input, receive)))
  .then((output) => console.log(JSON.stringify(output, send)))
  .catch((error) => {
    console.error(`${error.name}: ${error.message}`);
    process.exitCode = 1;
  });
