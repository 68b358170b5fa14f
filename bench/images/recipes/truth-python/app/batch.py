import rsa

print(rsa.newkeys(128)[0])
