import jwt

print(jwt.encode({"a": 1}, "secret", algorithm="HS256"))
