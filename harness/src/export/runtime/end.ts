
SECRETS.forEach(secret);
for (const plan of SESSIONS) {
  const session = new Session(plan);
  await session.play();
  const answers = [...session.heard].filter(([key]) => key.startsWith("answer ")).reduce((sum, [, came]) => sum + came.length, 0);
  console.log(`${session.sent} messages sent, ${answers} answers came`);
}
process.exit(0);
