

for secret in SECRETS:
    if secret not in os.environ:
        stop("set the environment variable %s: its value was taken out of the recording" % secret)
for plan in SESSIONS:
    session = Session(plan)
    session.play()
    answers = sum(len(came) for key, came in session.heard.items() if key.startswith("answer "))
    print("%d messages sent, %d answers came" % (session.sent, answers), flush=True)
os._exit(0)
