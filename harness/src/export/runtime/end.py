

for variable in SECRETS:
    secret(variable)
for plan in SESSIONS:
    session = Session(plan)
    session.play()
    answers = sum(len(came) for key, came in session.heard.items() if key.startswith("answer "))
    print("%d messages sent, %d answers came" % (session.sent, answers), flush=True)
os._exit(0)
